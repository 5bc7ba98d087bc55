//! gRPC by hand: every byte of a call is the test's own, so that it can be wrong, and nothing is tried twice.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{BufMut as _, Bytes, BytesMut};
use devstack::Pki;
use h2::client::SendRequest;
use prost::Message;
use rustls::ClientConfig;
use shopapi_auth::service_token::ServiceTokens;
use shopapi_tls::{Identity, IdentityFiles, Peer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Far above any deadline of a server; past it a test says so instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const H2: &[&[u8]] = &[b"h2"];

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a status of gRPC and its text.
    Status(i32, String),
    /// Before there was one.
    Cut(String),
}

pub(crate) const OK: i32 = 0;

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        matches!(self, Self::Status(OK, _))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code, text) => {
                write!(f, "{:?}: {text}", tonic::Code::from_i32(*code))
            }
            Self::Cut(reason) => f.write_str(reason),
        }
    }
}

/// A call to make.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `/package.Service/Method`.
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn new(path: &'static str, message: &impl Message) -> Self {
        Self {
            path,
            headers: Vec::new(),
            body: framed(&message.encode_to_vec()),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn request(&self) -> http::Request<()> {
        let mut request = http::Request::post(format!("https://127.0.0.1{}", self.path))
            .version(http::Version::HTTP_2)
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(()).unwrap()
    }
}

/// A message with gRPC's prefix: no compression, length.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// An identity of the stack.
pub(crate) fn identity(pki: &Pki, service: &str) -> Identity {
    Identity::load(IdentityFiles::in_dir(&pki.dir_of(service))).unwrap()
}

pub(crate) fn signer(pki: &Pki, service: &str) -> ServiceTokens {
    ServiceTokens::load(service, pki.jwt_key(service)).unwrap()
}

pub(crate) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Connects and shakes hands.
pub(crate) async fn secured(
    addr: SocketAddr,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(addr)
        .await
        .map_err(|error| chain(&error))?;
    let name = rustls_pki_types::ServerName::from(addr.ip());
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected.map_err(|error| chain(&error))
}

/// Why the server ends a connection right after the handshake, as its alert says. A call may find the connection broken before it reads that.
pub(crate) async fn alert(addr: SocketAddr, config: Arc<ClientConfig>) -> String {
    let mut stream = match secured(addr, config).await {
        Ok(stream) => stream,
        Err(reason) => return reason,
    };
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    match ended.expect("the server neither speaks nor hangs up") {
        Ok(bytes) => format!("closed after {bytes} bytes without an alert"),
        Err(error) => chain(&error),
    }
}

/// Who answers there, by its certificate.
pub(crate) async fn served(addr: SocketAddr, config: Arc<ClientConfig>) -> Result<Peer, String> {
    let stream = secured(addr, config).await?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    Ok(Peer::of(&certificates[0]).unwrap())
}

/// One connection for any number of calls; it ends with this value.
pub(crate) struct Link {
    send: SendRequest<Bytes>,
    connection: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Link {
    pub(crate) async fn open(addr: SocketAddr, config: Arc<ClientConfig>) -> Result<Self, String> {
        Self::over(secured(addr, config).await?).await
    }

    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self, String> {
        let shaken = h2::client::handshake(stream).await;
        let (send, connection) = shaken.map_err(|error| chain(&error))?;
        let connection = tokio::spawn(async move {
            // The calls tell how it ended.
            let _ = connection.await;
        });
        Ok(Self {
            send,
            connection: connection.abort_handle(),
        })
    }

    /// Begins a call and leaves its body to the caller.
    pub(crate) async fn begin(
        &self,
        call: &Call,
    ) -> Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>), String> {
        let ready = self.send.clone().ready().await;
        let mut send = ready.map_err(|error| chain(&error))?;
        send.send_request(call.request(), false)
            .map_err(|error| chain(&error))
    }

    pub(crate) async fn call(&self, call: &Call) -> Outcome {
        let ended = async {
            let (answer, mut body) = self.begin(call).await?;
            // A server that refuses early resets this half; its answer counts.
            let _ = body.send_data(call.body.clone(), true);
            read(answer).await
        };
        match tokio::time::timeout(PATIENCE, ended).await {
            Ok(Ok((code, text))) => Outcome::Status(code, text),
            Ok(Err(reason)) => Outcome::Cut(reason),
            Err(_elapsed) => panic!("{}: no end", call.path),
        }
    }
}

/// The status of an answer, from its headers or its trailers.
pub(crate) async fn read(answer: h2::client::ResponseFuture) -> Result<(i32, String), String> {
    let answer = answer.await.map_err(|error| chain(&error))?;
    let (head, mut body) = answer.into_parts();
    if let Some(status) = status_in(&head.headers) {
        return Ok(status);
    }
    // What HTTP/2 refuses by itself it also resets: there may be nothing more to read.
    if head.status != http::StatusCode::OK {
        return Err(format!("HTTP {} without a status of gRPC", head.status));
    }
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| chain(&error))?;
        let _ = body.flow_control().release_capacity(data.len());
    }
    let trailers = body.trailers().await.map_err(|error| chain(&error))?;
    trailers
        .as_ref()
        .and_then(status_in)
        .ok_or_else(|| "an answer without a status of gRPC".to_owned())
}

fn status_in(headers: &http::HeaderMap) -> Option<(i32, String)> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let code = text("grpc-status")?.parse().ok()?;
    let message = text("grpc-message").unwrap_or_default().replace("%20", " ");
    Some((code, message))
}

/// One call on a connection of its own.
pub(crate) async fn call(addr: SocketAddr, config: Arc<ClientConfig>, call: &Call) -> Outcome {
    match Link::open(addr, config).await {
        Ok(link) => link.call(call).await,
        Err(reason) => Outcome::Cut(reason),
    }
}

/// An error with everything that caused it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
