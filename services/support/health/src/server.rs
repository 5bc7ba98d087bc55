//! The two paths over HTTP/1.1.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::readiness::{Readiness, Status};

/// Connections served at once; a platform's probes need a handful, and the port must not be a way to eat memory.
pub const CONNECTIONS_MAX: usize = 64;

/// A connection's whole life: probes are short, and one that dawdles gives its place back.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(30);

/// Time for a client to send its request line and headers.
const HEADERS_DEADLINE: Duration = Duration::from_secs(2);

/// Largest request head accepted (hyper's smallest buffer).
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Pause after a failed accept (file descriptors exhausted), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `/livez` and `/readyz` on `listener` until `stop` resolves, then closes what is open.
///
/// A failing accept or connection is logged and survived: this never ends before `stop`.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropping the set at the end aborts the connections that are still open.
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &places) => {
                let Some((stream, place)) = accepted else { continue };
                let readiness = readiness.clone();
                connections.spawn(async move {
                    let _place = place;
                    serve_connection(stream, readiness).await;
                });
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    // The place first: beyond the bound connections wait in the kernel's backlog.
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            warn!(%error, "health port could not accept");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(stream: TcpStream, readiness: Readiness) {
    let service = service_fn(move |request| {
        let readiness = readiness.clone();
        async move { Ok::<_, Infallible>(answer(&request, &readiness).await) }
    });
    let mut builder = http1::Builder::new();
    // Without a timer hyper accepts the header timeout and never enforces it.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_DEADLINE)
        .max_buf_size(HEAD_BYTES_MAX);
    match timeout(
        CONNECTION_LIFETIME,
        builder.serve_connection(TokioIo::new(stream), service),
    )
    .await
    {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => debug!(%error, "health connection ended early"),
    }
}

async fn answer(request: &Request<Incoming>, readiness: &Readiness) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = respond(
            StatusCode::METHOD_NOT_ALLOWED,
            String::from("only GET and HEAD\n"),
            "text/plain",
        );
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/livez" => respond(
            StatusCode::OK,
            String::from("{\"status\":\"live\"}\n"),
            "application/json",
        ),
        "/readyz" => {
            let report = readiness.report().await;
            respond(
                status_code(report.status),
                report.to_json(),
                "application/json",
            )
        }
        _ => respond(
            StatusCode::NOT_FOUND,
            String::from("only /livez and /readyz\n"),
            "text/plain",
        ),
    }
}

fn status_code(status: Status) -> StatusCode {
    if status.takes_work() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn respond(status: StatusCode, body: String, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    struct Running {
        addr: SocketAddr,
        stop: oneshot::Sender<()>,
        server: JoinHandle<()>,
    }

    async fn start(readiness: Readiness) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, readiness, async move {
            let _ = stopped.await;
        }));
        Running { addr, stop, server }
    }

    async fn exchange(addr: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(addr: SocketAddr, path: &str) -> String {
        exchange(
            addr,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        )
        .await
    }

    #[tokio::test]
    async fn live_even_when_unready() {
        let readiness = Readiness::new();
        let _closed = readiness.gate("tree");
        let running = start(readiness).await;
        assert!(
            get(running.addr, "/livez")
                .await
                .starts_with("HTTP/1.1 200")
        );
        let answer = get(running.addr, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("\"failing\":[\"tree\"]"), "{answer}");
    }

    #[tokio::test]
    async fn ready_when_every_condition_holds_and_draining_afterwards() {
        let readiness = Readiness::new();
        readiness.gate("tree").open();
        let running = start(readiness.clone()).await;
        assert!(
            get(running.addr, "/readyz")
                .await
                .starts_with("HTTP/1.1 200")
        );
        readiness.drain();
        assert!(
            get(running.addr, "/readyz")
                .await
                .contains("\"status\":\"draining\"")
        );
    }

    #[tokio::test]
    async fn other_paths_and_methods_do_not_exist() {
        let running = start(Readiness::new()).await;
        assert!(
            get(running.addr, "/metrics")
                .await
                .starts_with("HTTP/1.1 404")
        );
        let posted =
            "POST /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(
            exchange(running.addr, posted)
                .await
                .starts_with("HTTP/1.1 405")
        );
    }

    #[tokio::test]
    async fn a_huge_request_head_is_refused() {
        let running = start(Readiness::new()).await;
        let head = format!(
            "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
            "a".repeat(HEAD_BYTES_MAX * 2)
        );
        let mut stream = TcpStream::connect(running.addr).await.unwrap();
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        assert!(
            get(running.addr, "/livez")
                .await
                .starts_with("HTTP/1.1 200"),
            "the server lives on"
        );
    }

    #[tokio::test]
    async fn stop_ends_the_server_while_a_connection_is_open() {
        let running = start(Readiness::new()).await;
        let _idle = TcpStream::connect(running.addr).await.unwrap();
        running.stop.send(()).unwrap();
        running.server.await.unwrap();
    }
}
