//! Keeps one connection to one address, and the set of addresses as the names say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderValue, TE};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rand::Rng as _;
use rustls_pki_types::ServerName;
use shopapi_tls::Peer;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};

use crate::choice::{Choice, Replica};
use crate::server::ALPN;
use crate::trust::ClientTrust;

/// One attempt, the first answer included; the callee is in the same network.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// A ping this often finds a partition or a frozen process, which no packet reports.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// How long a ping may stay unanswered: above any pause of a busy machine.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// First pause after a failed attempt; doubles.
const BACKOFF_BASE: Duration = Duration::from_millis(50);
/// Longest pause: a replica that is back gets its share within this time, and four refused connections a second cost nothing.
const BACKOFF_CAP: Duration = Duration::from_millis(250);

/// Bytes of an answer's headers: a status and its details fit many times.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// A connection that ends sooner counts as a failed attempt: something in between takes connections and drops them.
const STOOD_MIN: Duration = Duration::from_secs(1);

/// Asked first on every connection. Any answer will do, a refusal too: it shows a process that reads.
const FIRST_CALL: &str = "/grpc.health.v1.Health/Check";
/// An empty gRPC message.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

type Connection = http2::Connection<TokioIo<TlsStream<TcpStream>>, Full<Bytes>, TokioExecutor>;
type Error = Box<dyn std::error::Error + Send + Sync>;

/// How a callee is reached.
#[derive(Clone)]
struct Way {
    tls: TlsConnector,
    callee: &'static str,
}

impl Way {
    /// A connection to the callee and to nobody else: its certificate is valid for the host that was dialled and names the callee.
    async fn secured(
        &self,
        address: SocketAddr,
        authority: &Authority,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())?;
        let stream = self.tls.connect(name, stream).await?;
        let session = stream.get_ref().1;
        let chain = session.peer_certificates();
        let peer = chain.and_then(|chain| Peer::of(chain.first()?));
        match peer {
            Some(peer) if *peer.name == *self.callee => {}
            Some(peer) => {
                return Err(format!("reached {} instead of {}", peer.name, self.callee).into());
            }
            None => return Err("the callee's certificate names no service".into()),
        }
        if session.alpn_protocol() != ALPN.first().copied() {
            return Err("the callee does not speak HTTP/2".into());
        }
        Ok(stream)
    }
}

/// The addresses of a callee, each with the name it is called by.
pub(crate) type Addresses = BTreeMap<SocketAddr, Authority>;

/// Where the addresses come from.
pub(crate) trait Names: Send + Sync + 'static {
    /// All addresses there are now; `before` are those it said the last time.
    fn resolve(&self, before: &Addresses) -> impl Future<Output = Addresses> + Send;
}

/// Follows the names: a connector for each address there is, none for those that are gone. Dropping it ends the connectors.
pub(crate) async fn follow(
    names: impl Names,
    trust: ClientTrust,
    every: Duration,
    choice: Arc<Choice>,
) {
    let way = Way {
        tls: TlsConnector::from(trust.identity.client_config(ALPN)),
        callee: trust.callee(),
    };
    let mut known = Addresses::new();
    let mut connectors: BTreeMap<SocketAddr, DropGuard> = BTreeMap::new();
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let found = names.resolve(&known).await;
        connectors.retain(|address, _| found.contains_key(address));
        for (address, authority) in &found {
            connectors.entry(*address).or_insert_with(|| {
                let stop = CancellationToken::new();
                tokio::spawn(keep_connected(
                    *address,
                    authority.clone(),
                    way.clone(),
                    Arc::clone(&choice),
                    stop.clone(),
                ));
                stop.drop_guard()
            });
        }
        known = found;
    }
}

async fn keep_connected(
    address: SocketAddr,
    authority: Authority,
    way: Way,
    choice: Arc<Choice>,
    stop: CancellationToken,
) {
    let mut failures = 0_u32;
    let mut told = false;
    while !stop.is_cancelled() {
        let attempt = timeout(CONNECT_DEADLINE, connect(address, authority.clone(), &way));
        let connected = tokio::select! {
            connected = attempt => connected,
            () = stop.cancelled() => return,
        };
        match connected {
            Ok(Ok((replica, mut connection))) => {
                let since = Instant::now();
                let replica = Arc::new(replica);
                let id = replica.id();
                choice.add(replica);
                info!(%address, "connected");
                tokio::select! {
                    _ = &mut connection => info!(%address, "connection ended"),
                    () = stop.cancelled() => info!(%address, "no longer an address of the callee"),
                }
                choice.remove(id);
                told = false;
                failures = u32::from(since.elapsed() < STOOD_MIN);
                if stop.is_cancelled() {
                    // With the last sender gone it ends after its calls.
                    tokio::spawn(connection);
                    return;
                }
            }
            Ok(Err(error)) => {
                failures = failures.saturating_add(1);
                let (is_tls, reason) = (is_of_tls(&*error), with_causes(&*error));
                // A TLS error is a fault that somebody has to mend, and news until a connection stands; the rest would fill the log.
                if is_tls && !told {
                    told = true;
                    warn!(%address, reason, "the callee's TLS is refused, or ours by it");
                } else {
                    debug!(%address, reason, failures, "cannot connect");
                }
                choice.failed(format!("{address}: {reason}"));
            }
            Err(_elapsed) => {
                failures = failures.saturating_add(1);
                debug!(%address, failures, "connected to nobody who answers");
                choice.failed(format!("{address} does not answer"));
            }
        }
        let jitter = rand::rng().random_range(0.5..=1.0);
        tokio::select! {
            () = sleep(backoff(failures).mul_f64(jitter)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// An error and what caused it, outermost first.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// What is wrong, to its last cause: the outermost text often says no more than that something is.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).fold(String::new(), |told, cause| match cause.to_string() {
        cause if told.is_empty() => cause,
        cause if told.contains(&cause) => told,
        cause => format!("{told}: {cause}"),
    })
}

/// A certificate or a handshake is refused. TLS 1.3 tells a caller that its certificate is refused on the first read, under HTTP/2, which leaves
/// of it the kind of the I/O error and a text.
fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        cause.is::<rustls::Error>()
            || io.is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData)
    })
}

/// None after a connection that stood: a replica that asks its callers to reconnect is there.
fn backoff(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        1.. => BACKOFF_BASE
            .saturating_mul(2_u32.saturating_pow(failures - 1))
            .min(BACKOFF_CAP),
    }
}

/// Connects and waits for the first answer.
async fn connect(
    address: SocketAddr,
    authority: Authority,
    way: &Way,
) -> Result<(Replica, Connection), Error> {
    let stream = way.secured(address, &authority).await?;
    let (mut sender, mut connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .max_header_list_size(HEADER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
    let first = Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(origin(&authority, FIRST_CALL)?)
        .header(TE, HeaderValue::from_static("trailers"))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
        .body(Full::new(Bytes::from_static(EMPTY_MESSAGE)))?;
    {
        let mut answer = std::pin::pin!(sender.send_request(first));
        tokio::select! {
            answered = &mut answer => drop(answered?),
            ended = &mut connection => {
                ended?;
                // Why it ended, hyper tells only those who wait for an answer.
                answer.await?;
                return Err("closed before the first answer".into());
            }
        }
    }
    Ok((Replica::new(address, authority, sender), connection))
}

/// The full URI of a path at a replica.
pub(crate) fn origin(authority: &Authority, path: &str) -> Result<Uri, hyper::http::Error> {
    Uri::builder()
        .scheme("https")
        .authority(authority.clone())
        .path_and_query(path)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_cap_and_a_connection_that_stood_has_none() {
        assert_eq!(backoff(0), Duration::ZERO);
        assert_eq!(backoff(1), BACKOFF_BASE);
        assert_eq!(backoff(2), 2 * BACKOFF_BASE);
        assert_eq!(backoff(u32::MAX), BACKOFF_CAP);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("connection error")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_fault_of_tls_is_found_and_told_below_other_errors() {
        use std::io::{Error, ErrorKind};
        let alert = || rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA);
        // As from a handshake, and as HTTP/2 passes it on.
        let handshake = Error::new(ErrorKind::InvalidData, alert());
        let below = Outer(Error::new(ErrorKind::InvalidData, alert().to_string()));
        assert!(is_of_tls(&handshake) && is_of_tls(&below) && is_of_tls(&alert()));
        let text = "connection error: received fatal alert: UnknownCA";
        assert_eq!(with_causes(&below), text);
        let reset = Outer(ErrorKind::ConnectionReset.into());
        assert!(!is_of_tls(&reset));
        assert_eq!(with_causes(&reset), "connection error: connection reset");
    }
}
