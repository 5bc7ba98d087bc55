//! The server on a real loopback socket: sizes, times, and its end.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::StopSignal;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use shopapi_tls::ServerCertificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::config::Limits;
use crate::http::serve;

struct Server {
    addr: std::net::SocketAddr,
    stop: StopSignal,
    ended: JoinHandle<()>,
}

async fn server(router: Router, limits: Limits) -> Server {
    server_with(None, router, limits).await
}

async fn server_with(
    certificate: Option<ServerCertificate>,
    router: Router,
    limits: Limits,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stop = StopSignal::new();
    let served = serve(
        Arc::new(listener),
        certificate,
        router,
        limits,
        stop.clone(),
    );
    let ended = tokio::spawn(async move { served.await.unwrap() });
    Server { addr, stop, ended }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Everything the server sends until it closes the connection.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text));
    // A reset after the answer is a close as well.
    let _ = read.await.expect("the server keeps the connection open");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits {
        head_deadline: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = server(hello(), limits).await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    rest_of(&mut silent).await;
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let answer = rest_of(&mut half).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let limits = Limits {
        head_deadline: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = server(hello(), limits).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let answer = rest_of(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = server(hello(), Limits::default()).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let endless = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(40 * 1024));
    // The server may close before everything is written.
    let _ = stream.write_all(endless.as_bytes()).await;
    let answer = rest_of(&mut stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
}

#[tokio::test]
async fn with_every_place_taken_a_newcomer_waits_for_one() {
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    let server = server(hello(), limits).await;
    let first = TcpStream::connect(server.addr).await.unwrap();
    let mut second = TcpStream::connect(server.addr).await.unwrap();
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(50), second.peek(&mut byte)).await;
    assert!(early.is_err(), "answered while every place was taken");

    drop(first);

    let answer = rest_of(&mut second).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

/// An answer without an end, larger than whatever the kernels at both ends hold.
fn endless() -> Router {
    let chunks = || futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]));
    hello().route(
        "/endless",
        get(move || async move { Body::from_stream(chunks()) }),
    )
}

/// One place, and no patience with who does not read.
fn one_place() -> Limits {
    Limits {
        connections_max: 1,
        write_deadline: Duration::from_millis(50),
        ..Limits::default()
    }
}

#[tokio::test]
async fn who_does_not_read_their_answer_loses_their_place() {
    let server = server(endless(), one_place()).await;
    let mut deaf = TcpStream::connect(server.addr).await.unwrap();
    deaf.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut next = TcpStream::connect(server.addr).await.unwrap();
    next.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = rest_of(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    drop(deaf);
}

#[tokio::test]
async fn who_does_not_read_their_answer_loses_their_place_over_tls_too() {
    let dir = tempfile::tempdir().unwrap();
    let pki = devstack::Pki::load_or_create(dir.path()).unwrap();
    let server = server_with(Some(certificate(&pki)), endless(), one_place()).await;
    let mut deaf = connect_over_tls(&server, &pki, &TLS13).await;
    deaf.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let next = ask_over_tls(&server, &pki, &TLS13);
    let next = tokio::time::timeout(Duration::from_secs(20), next).await;
    let (answer, _) = next.expect("the place is not given back");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    drop(deaf);
}

#[tokio::test]
async fn a_stop_lets_the_call_in_flight_end_and_closes_idle_connections() {
    let entered = Arc::new(Notify::new());
    let leave = Arc::new(Notify::new());
    let handler = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        move || {
            let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
            async move {
                entered.notify_one();
                leave.notified().await;
                "done"
            }
        }
    };
    let server = server(Router::new().route("/", get(handler)), Limits::default()).await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    let mut busy = TcpStream::connect(server.addr).await.unwrap();
    busy.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    entered.notified().await;

    server.stop.cancel();
    rest_of(&mut idle).await;
    leave.notify_one();
    let answer = rest_of(&mut busy).await;

    assert!(answer.ends_with("done"), "{answer}");
    server.ended.await.unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
}

fn certificate(pki: &devstack::Pki) -> ServerCertificate {
    let own = pki.dir_of("gateway");
    ServerCertificate::load(own.join("tls.crt"), own.join("tls.key")).unwrap()
}

async fn connect_over_tls(
    server: &Server,
    pki: &devstack::Pki,
    version: &'static SupportedProtocolVersion,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pki.ca_file()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// Asks over TLS: the answer, and the certificate that was shown.
async fn ask_over_tls(
    server: &Server,
    pki: &devstack::Pki,
    version: &'static SupportedProtocolVersion,
) -> (String, Vec<u8>) {
    let mut stream = connect_over_tls(server, pki, version).await;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    (String::from_utf8_lossy(&answer).into_owned(), shown)
}

#[tokio::test]
async fn with_a_certificate_tls_is_spoken_and_a_renewed_one_is_shown_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let pki = devstack::Pki::load_or_create(dir.path()).unwrap();
    let server = server_with(Some(certificate(&pki)), hello(), Limits::default()).await;

    let (answer, first) = ask_over_tls(&server, &pki, &TLS13).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let (answer, _) = ask_over_tls(&server, &pki, &TLS12).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut plain = TcpStream::connect(server.addr).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let refused = rest_of(&mut plain).await;
    assert!(!refused.contains("200 OK"), "{refused}");

    pki.renew_leaf("gateway").unwrap();
    let renewed = tokio::time::timeout(Duration::from_secs(20), async {
        while ask_over_tls(&server, &pki, &TLS13).await.1 == first {}
    });
    renewed.await.expect("the old certificate is still shown");
}
