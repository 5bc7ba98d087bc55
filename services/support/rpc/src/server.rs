//! How a service is put on the network: one implementation for all of them.
//!
//! ```text
//!   listener ─▶ TLS 1.3, client certificate, handshakes bounded ─▶ HTTP/2 with limits ─▶ door: token, ACL ─▶ health
//!                                                                                                         reflection
//!                                                                                                         the service's own
//! ```
//!
//! While it serves it follows the files of its trust, so a rotation needs no restart. It ends when told to: `NOT_SERVING` first, then GOAWAY, then what is
//! under way gets the drain deadline.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt as _;
use hyper::{Request, Response};
use shopapi_tls::{Acceptor, HandshakeLimits, Peer, Secured};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_health::ServingStatus;
use tower::Service;
use tracing::warn;

use crate::door::DoorLayer;
use crate::measure::{self, MeasureLayer};
use crate::trust::Trust;

/// The protocol of gRPC.
pub(crate) const ALPN: &[&[u8]] = &[b"h2"];

/// What callers may cost, each with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Handshakes, in time and number.
    pub handshakes: HandshakeLimits,
    /// Connections at once: every replica of every caller holds one, and probes come and go.
    pub connections_max: usize,
    /// Calls at once on one connection.
    pub streams_max: u32,
    /// Bytes of a call's headers: a token and a trace context fit many times.
    pub header_bytes_max: u32,
    /// The longest a call may take until its answer begins, whatever its caller says; a stream goes on after that.
    pub call_deadline: Duration,
    /// Silence on a connection before it is asked whether it lives: below the idle cut-off of common load balancers.
    pub keepalive_interval: Duration,
    /// A ping without an answer for this long means that the caller is gone.
    pub keepalive_timeout: Duration,
    /// Age at which connections are asked to reconnect: new replicas get their share, and old certificates go.
    pub connection_age_max: Duration,
    /// What calls under way get when a connection is asked to move on.
    pub connection_age_grace: Duration,
    /// What calls under way get when the service stops: longer than a commit, short of the platform's patience.
    pub drain_deadline: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            handshakes: HandshakeLimits::default(),
            connections_max: 1_024,
            streams_max: 256,
            header_bytes_max: 16 * 1024,
            call_deadline: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connection_age_max: Duration::from_secs(600),
            connection_age_grace: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(4),
        }
    }
}

/// Why a server ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// HTTP/2 could not be served.
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
    /// The contracts in this build do not parse.
    #[error(transparent)]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The services of one server; health and reflection come by themselves.
#[derive(Debug, Default)]
pub struct Exposed {
    routes: Routes,
    names: Vec<&'static str>,
}

impl Exposed {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; its health is told under its name.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }
}

/// Serves until `stop`, then finishes the calls under way. The listener may be shared: a server that is started again serves the same port.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    listener: Arc<TcpListener>,
    exposed: Exposed,
    trust: Trust,
    limits: ServerLimits,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    // Boxed: the server's future is 25 kB, once a process.
    Box::pin(serve_all(listener, exposed, trust, limits, stop)).await
}

async fn serve_all(
    listener: Arc<TcpListener>,
    exposed: Exposed,
    trust: Trust,
    limits: ServerLimits,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let Exposed { routes, names } = exposed;
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in &names {
        reporter
            .set_service_status(*name, ServingStatus::Serving)
            .await;
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(shopapi_proto::DESCRIPTORS)
        .build_v1()?;
    let routes = routes.add_service(health).add_service(reflection);
    measure::certificate(trust.identity());
    let tls = trust.identity().server_config(ALPN);
    let incoming = Acceptor::new(tls, limits.handshakes).incoming(listener);
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let incoming = incoming.then(move |secured| admit(secured, Arc::clone(&places)));
    let draining = CancellationToken::new();
    let drained = draining.clone();
    let server = Server::builder()
        .timeout(limits.call_deadline)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .http2_max_header_list_size(limits.header_bytes_max)
        .max_concurrent_streams(limits.streams_max)
        .max_connection_age(limits.connection_age_max)
        .max_connection_age_grace(limits.connection_age_grace)
        .layer(MeasureLayer)
        .layer(DoorLayer {
            callers: trust.callers().clone(),
        })
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, async move {
            drained.cancelled().await;
            for name in names {
                reporter
                    .set_service_status(name, ServingStatus::NotServing)
                    .await;
            }
        });
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        () = trust.watch() => {}
        () = stop => {}
    }
    draining.cancel();
    // A caller that is frozen, or keeps a stream open, can hold a graceful shutdown up for ever.
    match timeout(limits.drain_deadline, server).await {
        Ok(ended) => Ok(ended?),
        Err(_elapsed) => {
            warn!("connections closed with calls under way");
            Ok(())
        }
    }
}

/// Waits for a place among the connections.
async fn admit(secured: Secured, places: Arc<Semaphore>) -> Result<Connection, io::Error> {
    let place = places
        .acquire_owned()
        .await
        .map_err(|_| io::Error::other("the server has ended"))?;
    Ok(Connection {
        info: ConnectionInfo {
            peer: secured.peer().cloned(),
            remote_addr: secured.remote_addr(),
        },
        secured,
        _place: place,
    })
}

/// What is known about a connection, among the extensions of its requests.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Who it is.
    pub peer: Option<Peer>,
    /// Where it comes from.
    pub remote_addr: Option<SocketAddr>,
}

/// A secured connection with its place among all.
struct Connection {
    secured: Secured,
    info: ConnectionInfo,
    _place: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.secured).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.secured).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.secured).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.secured.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.secured).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.secured).poll_shutdown(cx)
    }
}
