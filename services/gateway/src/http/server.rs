//! Sockets: HTTP/1.1, with or without TLS, with every time and size bounded, and an end that lets calls in flight finish.
//!
//! HTTP/1.1 only: behind an ingress nothing else arrives, and hyper's detection of HTTP/2 waits for the first bytes without a limit.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::{ActorError, StopSignal};
use axum::Router;
use futures::future::Either;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use shopapi_tls::ServerCertificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use super::client_address::Peer;
use super::framing;
use super::write_deadline::WriteDeadline;
use crate::config::Limits;

/// How long calls in flight may take to end once the service stops; below the tree's own bound for a child.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failed accept (file descriptors exhausted), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a TLS handshake may take: two round trips on a bad mobile connection.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// Serves `router` until `stop`, then lets the open connections finish what they are at. With a certificate it speaks TLS, and follows the
/// certificate's files.
///
/// # Errors
/// None of its own: a failing accept or connection is logged and survived.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    certificate: Option<ServerCertificate>,
    router: Router,
    limits: Limits,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let tls = certificate
        .as_ref()
        .map(|own| TlsAcceptor::from(own.public_config(&[b"http/1.1"])));
    let mut following = std::pin::pin!(async {
        match &certificate {
            Some(own) => own.watch().await,
            None => std::future::pending().await,
        }
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = following.as_mut() => {}
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &places) => {
                let Some((stream, peer, place)) = accepted else { continue };
                let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    // Below TLS, so that what TLS holds back for a reader that stalls counts as well.
                    let stream = WriteDeadline::new(stream, limits.write_deadline);
                    match tls {
                        None => serve_connection(stream, peer, router, limits, stop).await,
                        Some(tls) => {
                            if let Some(stream) = secured(&tls, stream).await {
                                serve_connection(stream, peer, router, limits, stop).await;
                            }
                        }
                    }
                    drop(place);
                });
            }
        }
    }
    let drained = timeout(DRAIN_DEADLINE, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        warn!(
            open = connections.len(),
            "connections cut: their calls did not end in time"
        );
    }
    Ok(())
}

/// The next connection and its place. Waits for the place first: without one, newcomers wait in the kernel's backlog.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, from)) => {
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "TCP_NODELAY not set");
            }
            Some((stream, Peer(from.ip()), place))
        }
        Err(error) => {
            warn!(%error, "accept failed");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// The connection after its handshake.
async fn secured<S>(tls: &TlsAcceptor, stream: S) -> Option<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(HANDSHAKE_DEADLINE, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            debug!(%error, "TLS handshake refused");
            None
        }
        Err(_elapsed) => {
            debug!("TLS handshake took too long");
            None
        }
    }
}

async fn serve_connection<S>(
    stream: S,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: StopSignal,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service =
        service_fn(
            move |mut request: Request<Incoming>| match framing::refusal(&request) {
                Some(refusal) => Either::Left(std::future::ready(Ok(refusal))),
                None => {
                    request.extensions_mut().insert(peer);
                    Either::Right(TowerToHyperService::new(router.clone()).call(request))
                }
            },
        );
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_deadline)
        .max_buf_size(limits.head_bytes_max)
        .max_headers(limits.headers_max)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}
