//! Sockets: HTTP/1.1 with every time and size bounded, and an end that lets calls in flight finish.
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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::client_address::Peer;
use super::framing;
use crate::config::Limits;

/// How long calls in flight may take to end once the service stops; below the tree's own bound for a child.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a failed accept (file descriptors exhausted), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `stop`, then lets the open connections finish what they are at.
///
/// # Errors
/// None of its own: a failing accept or connection is logged and survived.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    router: Router,
    limits: Limits,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &places) => {
                let Some((stream, peer, place)) = accepted else { continue };
                let served = serve_connection(stream, peer, router.clone(), limits, stop.clone());
                connections.spawn(async move {
                    served.await;
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
        Ok((stream, from)) => Some((stream, Peer(from.ip()), place)),
        Err(error) => {
            warn!(%error, "accept failed");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: Limits,
    stop: StopSignal,
) {
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY not set");
    }
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
