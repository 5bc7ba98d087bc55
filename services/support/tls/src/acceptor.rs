//! From a listener to secured connections, with handshakes bounded in time and number.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{self, Stream};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::warn;

use crate::names::Peer;

/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Refused handshakes are logged this often at most: anybody who reaches the port can cause them.
const REFUSALS_LOGGED_EVERY: Duration = Duration::from_secs(1);

/// What handshakes may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// How long one may take; a caller that says nothing holds its place no longer.
    pub deadline: Duration,
    /// How many at once; past it connections wait in the kernel's queue.
    pub in_flight_max: usize,
}

impl Default for HandshakeLimits {
    /// A handshake is two round trips and a millisecond of work: three seconds bridge a busy machine. 128 of them are a megabyte or two, and even when
    /// all of them say nothing, more than forty connections a second get through.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(3),
            in_flight_max: 128,
        }
    }
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct Secured {
    stream: TlsStream<TcpStream>,
    /// Who it is; `None` where callers have no certificate.
    peer: Option<Peer>,
    remote_addr: Option<SocketAddr>,
}

impl Secured {
    /// Who is at the other end; `None` where no certificate is asked for.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Where it comes from.
    #[must_use]
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// The application protocol that both sides agreed on.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }
}

/// Takes connections off a listener and secures them.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    limits: HandshakeLimits,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Secures by this configuration.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, limits: HandshakeLimits) -> Self {
        Self {
            tls: TlsAcceptor::from(config),
            limits,
        }
    }

    /// Every connection that passes its handshake, in the order in which they pass. Never ends; dropping it ends the handshakes under way.
    pub fn incoming(self, listener: Arc<TcpListener>) -> impl Stream<Item = Secured> + Send {
        let door = Door {
            acceptor: self,
            listener,
            handshakes: JoinSet::new(),
            refusals: Refusals::default(),
        };
        stream::unfold(door, |mut door| async move {
            let secured = door.next().await;
            Some((secured, door))
        })
    }

    async fn secure(self, stream: TcpStream, from: SocketAddr) -> Result<Secured, Refused> {
        let refused = |reason: String| Refused { from, reason };
        stream
            .set_nodelay(true)
            .map_err(|error| refused(error.to_string()))?;
        let stream = match timeout(self.limits.deadline, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(refused(error.to_string())),
            Err(_elapsed) => return Err(refused("the handshake took too long".to_owned())),
        };
        let leaf = stream.get_ref().1.peer_certificates();
        let peer = leaf.and_then(|chain| Peer::of(chain.first()?));
        Ok(Secured {
            stream,
            peer,
            remote_addr: Some(from),
        })
    }
}

struct Refused {
    from: SocketAddr,
    reason: String,
}

struct Door {
    acceptor: Acceptor,
    listener: Arc<TcpListener>,
    handshakes: JoinSet<Result<Secured, Refused>>,
    refusals: Refusals,
}

impl Door {
    async fn next(&mut self) -> Secured {
        loop {
            let has_room = self.handshakes.len() < self.acceptor.limits.in_flight_max;
            tokio::select! {
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(secured)) => return secured,
                    Ok(Err(refused)) => self.refusals.log(&refused),
                    // The panic hook tells the place; a panic's text may quote data.
                    Err(_panicked) => warn!("a handshake was cut off"),
                },
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok((stream, from)) => {
                        self.handshakes.spawn(self.acceptor.clone().secure(stream, from));
                    }
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

/// Logs the first refusal of each second, and how many others there were.
#[derive(Default)]
struct Refusals {
    logged_at: Option<Instant>,
    silent: u64,
}

impl Refusals {
    fn log(&mut self, refused: &Refused) {
        let now = Instant::now();
        if self
            .logged_at
            .is_some_and(|at| now - at < REFUSALS_LOGGED_EVERY)
        {
            self.silent += 1;
            return;
        }
        let others = std::mem::take(&mut self.silent);
        self.logged_at = Some(now);
        warn!(from = %refused.from, reason = refused.reason, others, "TLS handshake refused");
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
