//! One connection of a [`Proxy`](super::Proxy), and how PostgreSQL's becomes readable.
//!
//! PostgreSQL encrypts after a question: the client sends eight bytes (`SSLRequest`), the server answers `S`, then both shake hands. The
//! proxy plays the server towards the client, with the server's own certificate, and a verifying client towards the server. That
//! certificate is what SCRAM binds its proof to, so the proof holds on both sides.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use shopapi_tls::{ServerCertificate, TrustedRoots};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::error::Error;
use crate::pki::Pki;

/// Length and code of PostgreSQL's `SSLRequest`.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const SSL_ACCEPTED: u8 = b'S';

/// What the proxy needs to stand between PostgreSQL and its clients.
pub(super) struct Middle {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Middle {
    pub(super) fn of_postgres(pki: &Pki) -> Result<Self, Error> {
        let dir = pki.dir_of("postgres");
        let file = |name: &str| -> PathBuf { dir.join(name) };
        let bad = |error: shopapi_tls::TlsError| Error::Step(error.to_string());
        let certificate = ServerCertificate::load(file("tls.crt"), file("tls.key")).map_err(bad)?;
        let roots = TrustedRoots::load(file("ca.crt")).map_err(bad)?;
        let server =
            ServerName::try_from("postgres").map_err(|error| Error::Step(error.to_string()))?;
        Ok(Self {
            acceptor: TlsAcceptor::from(certificate.server_config(&[])),
            connector: TlsConnector::from(roots.client_config(&[])),
            server,
        })
    }

    /// Both ends, readable, and what the client has said already. A client that speaks plaintext stays so; the server's side is always
    /// TLS.
    pub(super) async fn secure(
        &self,
        mut client: TcpStream,
        mut server: TcpStream,
    ) -> io::Result<(Wire, Wire, Vec<u8>)> {
        let mut first = [0; SSL_REQUEST.len()];
        client.read_exact(&mut first).await?;
        let (client, said) = if first == SSL_REQUEST {
            client.write_all(&[SSL_ACCEPTED]).await?;
            let tls = self.acceptor.accept(client).await?;
            (Wire::Tls(Box::new(TlsStream::from(tls))), Vec::new())
        } else {
            (Wire::Plain(client), first.to_vec())
        };
        server.write_all(&SSL_REQUEST).await?;
        if server.read_u8().await? != SSL_ACCEPTED {
            return Err(io::Error::other("the server has no TLS"));
        }
        let tls = self.connector.connect(self.server.clone(), server).await?;
        Ok((client, Wire::Tls(Box::new(TlsStream::from(tls))), said))
    }
}

/// One end of a connection, encrypted or not.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Closing it sends a reset instead of an end.
    pub(super) fn reset_on_close(&self) {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        let _ = tcp.set_zero_linger();
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut (dyn Both + Unpin + Send)> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp),
            Self::Tls(tls) => Pin::new(tls.as_mut()),
        }
    }
}

trait Both: AsyncRead + AsyncWrite {}
impl<T: AsyncRead + AsyncWrite> Both for T {}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.inner().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
