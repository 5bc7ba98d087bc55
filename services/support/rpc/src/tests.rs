//! Replicas that answer with their name, die, freeze and come back.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use devstack::Pki;
use futures::StreamExt as _;
use http_body_util::Full;
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use shopapi_tls::{Acceptor, HandshakeLimits, Identity, IdentityFiles};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::codegen::Service as _;

use super::*;
use crate::choice::Choice;
use crate::connector::{Addresses, Names, follow};

/// A call to this path is answered when the replica is told to.
const SLOW: &str = "/slow";

/// Everybody's certificates and keys.
pub(crate) struct Everybody {
    pub(crate) pki: Pki,
    _dir: TempDir,
}

pub(crate) fn everybody() -> Everybody {
    let dir = tempfile::tempdir().unwrap();
    Everybody {
        pki: Pki::load_or_create(dir.path()).unwrap(),
        _dir: dir,
    }
}

impl Everybody {
    pub(crate) fn credentials(&self, service: &str) -> Credentials {
        let pki = &self.pki;
        Credentials::load(service, &pki.dir_of(service), &pki.jwt_key(service)).unwrap()
    }

    pub(crate) fn trust(&self, service: &str) -> Trust {
        let (dir, key) = (self.pki.dir_of(service), self.pki.jwt_key(service));
        Trust::load(service, &dir, &key, &self.pki.public_keys()).unwrap()
    }
}

/// One set for all tests of this process.
static EVERYBODY: LazyLock<Everybody> = LazyLock::new(everybody);

/// What the gateway calls orders with.
fn towards_orders() -> ClientTrust {
    EVERYBODY.credentials("gateway").towards("orders")
}

/// A replica of the callee.
struct Callee {
    address: SocketAddr,
    /// Calls begun, the first of a connection not counted.
    calls: Arc<AtomicUsize>,
    /// Lets slow calls end.
    go_on: CancellationToken,
    /// GOAWAY, then the end of each connection after its calls.
    drain: CancellationToken,
    /// Cuts every connection.
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl Callee {
    async fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    async fn start_at(address: SocketAddr) -> Self {
        Self::start_as("orders", address).await
    }

    /// With the certificate of this service.
    async fn start_as(service: &str, address: SocketAddr) -> Self {
        let files = IdentityFiles::in_dir(&EVERYBODY.pki.dir_of(service));
        let tls = Identity::load(files).unwrap().server_config(&[b"h2"]);
        let listener = TcpListener::bind(address).await.unwrap();
        let callee = Self {
            address: listener.local_addr().unwrap(),
            calls: Arc::default(),
            go_on: CancellationToken::new(),
            drain: CancellationToken::new(),
            kill: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (drain, kill) = (callee.drain.clone(), callee.kill.clone());
        let (calls, go_on) = (Arc::clone(&callee.calls), callee.go_on.clone());
        let tasks = callee.tasks.clone();
        callee.tasks.spawn(async move {
            let acceptor = Acceptor::new(tls, HandshakeLimits::default());
            let mut incoming = Box::pin(acceptor.incoming(Arc::new(listener)));
            loop {
                let stream = tokio::select! {
                    secured = incoming.next() => secured.unwrap(),
                    () = drain.cancelled() => return,
                    () = kill.cancelled() => return,
                };
                let (drain, kill) = (drain.clone(), kill.clone());
                let (calls, go_on) = (Arc::clone(&calls), go_on.clone());
                let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (calls, go_on) = (Arc::clone(&calls), go_on.clone());
                    async move {
                        if !request.uri().path().starts_with("/grpc.health") {
                            calls.fetch_add(1, Ordering::SeqCst);
                        }
                        if request.uri().path() == SLOW {
                            go_on.cancelled().await;
                        }
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
                    }
                });
                tasks.spawn(async move {
                    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), answer);
                    let mut connection = pin!(connection);
                    tokio::select! {
                        _ = &mut connection => return,
                        () = kill.cancelled() => return,
                        () = drain.cancelled() => connection.as_mut().graceful_shutdown(),
                    }
                    tokio::select! {
                        _ = connection => {}
                        () = kill.cancelled() => {}
                    }
                });
            }
        });
        callee
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn die(&self) {
        self.kill.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn over(callees: &[&Callee]) -> Balanced {
    let list: Vec<String> = callees
        .iter()
        .map(|callee| format!("https://{}", callee.address))
        .collect();
    Balanced::connect(list.join(",").parse().unwrap(), towards_orders())
}

async fn ask(channel: &Balanced, path: &str, repeat: bool) -> Result<(), tonic::Code> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    if repeat {
        request.extensions_mut().insert(Idempotent);
    }
    let answer = channel.clone().call(request).await;
    answer.map(drop).map_err(|status| status.code())
}

/// Calls until `seen` says enough; every call is answered.
async fn until(channel: &Balanced, seen: impl Fn() -> bool) {
    let calls = async {
        while !seen() {
            ask(channel, "/quick", false).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), calls)
        .await
        .expect("seen in time");
}

/// Waits for what other tasks do.
async fn eventually(seen: impl Fn() -> bool) {
    let wait = async {
        while !seen() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("seen in time");
}

#[tokio::test]
async fn calls_are_spread_over_all_replicas() {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let channel = over(&[&one, &two]);
    until(&channel, || one.calls() >= 20 && two.calls() >= 20).await;
}

#[tokio::test]
async fn a_replica_with_calls_under_way_gets_fewer_of_them() {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let channel = over(&[&one, &two]);
    until(&channel, || one.calls() > 0 && two.calls() > 0).await;
    let slow = tokio::spawn({
        let channel = channel.clone();
        async move { ask(&channel, SLOW, false).await }
    });
    let before = one.calls() + two.calls();
    eventually(|| one.calls() + two.calls() > before).await;
    let (ones, twos) = (one.calls(), two.calls());
    for _ in 0..20 {
        ask(&channel, "/quick", false).await.unwrap();
    }
    let gains = (one.calls() - ones, two.calls() - twos);
    assert!(gains == (0, 20) || gains == (20, 0), "{gains:?}");
    one.go_on.cancel();
    two.go_on.cancel();
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_dead_replica_is_left_out_and_taken_in_again_when_it_is_back() {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let channel = over(&[&one, &two]);
    until(&channel, || one.calls() > 0 && two.calls() > 0).await;
    one.die().await;
    // The connection's end may be noticed by the first call; no later one pays for it.
    let _ = ask(&channel, "/quick", false).await;
    let _ = ask(&channel, "/quick", false).await;
    for _ in 0..50 {
        ask(&channel, "/quick", false).await.unwrap();
    }
    let back = Callee::start_at(one.address).await;
    until(&channel, || back.calls() > 0).await;
}

#[tokio::test]
async fn no_call_fails_while_a_replica_drains() {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let channel = over(&[&one, &two]);
    until(&channel, || one.calls() > 0 && two.calls() > 0).await;
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move { ask(&channel, SLOW, false).await })
        })
        .collect();
    let before = one.calls() + two.calls();
    eventually(|| one.calls() + two.calls() == before + 4).await;

    one.drain.cancel();
    let calls = two.calls();
    until(&channel, || two.calls() >= calls + 200).await;

    one.go_on.cancel();
    two.go_on.cancel();
    for call in slow {
        call.await.unwrap().unwrap();
    }
}

/// A replica that dies with a call under way, and one that lives; how the call ended, and how often it began.
async fn broken_off(repeat: bool) -> (Result<(), tonic::Code>, usize) {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let channel = over(&[&one, &two]);
    until(&channel, || one.calls() > 0 && two.calls() > 0).await;
    let before = (one.calls(), two.calls());
    let call = tokio::spawn({
        let channel = channel.clone();
        async move { ask(&channel, SLOW, repeat).await }
    });
    eventually(|| (one.calls(), two.calls()) != before).await;
    let (dies, lives) = if one.calls() > before.0 {
        (&one, &two)
    } else {
        (&two, &one)
    };
    // The other one answers at once.
    lives.go_on.cancel();
    dies.die().await;
    let ended = call.await.unwrap();
    let begun = one.calls() + two.calls() - before.0 - before.1;
    (ended, begun)
}

#[tokio::test]
async fn a_broken_call_is_repeated_elsewhere_when_that_does_no_harm() {
    assert_eq!(broken_off(true).await, (Ok(()), 2));
}

#[tokio::test]
async fn a_broken_call_that_may_have_been_executed_is_not_repeated() {
    let unavailable = Err(tonic::Code::Unavailable);
    assert_eq!(broken_off(false).await, (unavailable, 1));
}

#[tokio::test]
async fn a_process_that_accepts_and_never_answers_gets_no_calls() {
    let frozen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lives = Callee::start().await;
    let list = format!(
        "https://{},https://{}",
        frozen.local_addr().unwrap(),
        lives.address
    );
    let channel = Balanced::connect(list.parse().unwrap(), towards_orders());
    for _ in 0..50 {
        ask(&channel, "/quick", false).await.unwrap();
    }
    assert_eq!(lives.calls(), 50);
}

#[tokio::test]
async fn a_replica_that_left_a_call_unanswered_comes_last() {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let channel = over(&[&one, &two]);
    until(&channel, || one.calls() > 0 && two.calls() > 0).await;
    let before = (one.calls(), two.calls());
    // Given up by its sender, as after a timeout.
    let mut slow = Box::pin(ask(&channel, SLOW, false));
    let begun = async {
        while (one.calls(), two.calls()) == before {
            tokio::select! {
                biased;
                _ = &mut slow => panic!("answered"),
                () = tokio::task::yield_now() => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), begun)
        .await
        .unwrap();
    drop(slow);
    let silent = if one.calls() > before.0 { &one } else { &two };
    let calls = silent.calls();
    for _ in 0..50 {
        ask(&channel, "/quick", false).await.unwrap();
    }
    assert_eq!(silent.calls(), calls);
}

#[tokio::test]
async fn with_nobody_there_a_call_is_refused_after_a_moment_and_then_at_once() {
    let gone = Callee::start().await;
    gone.die().await;
    let channel = over(&[&gone]);
    let refused = Err(tonic::Code::Unavailable);
    assert_eq!(ask(&channel, "/quick", false).await, refused);
    let began = std::time::Instant::now();
    assert_eq!(ask(&channel, "/quick", false).await, refused);
    assert!(began.elapsed() < GRACE / 2, "{:?}", began.elapsed());
    let back = Callee::start_at(gone.address).await;
    let answered = async { while ask(&channel, "/quick", false).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), answered)
        .await
        .unwrap();
    assert!(back.calls() > 0);
}

/// A name whose addresses a test decides.
struct Moving(watch::Receiver<Addresses>);

impl Names for Moving {
    async fn resolve(&self, _: &Addresses) -> Addresses {
        self.0.borrow().clone()
    }
}

#[tokio::test]
async fn calls_follow_the_name_to_other_addresses() {
    let (one, two) = (Callee::start().await, Callee::start().await);
    let addresses = |callee: &Callee| -> Addresses {
        let name = Authority::from_static("shopapi-orders:9001");
        [(callee.address, name)].into()
    };
    let (move_on, name) = watch::channel(addresses(&one));
    let choice = Arc::new(Choice::new());
    let followed = Arc::clone(&choice);
    let every = Duration::from_millis(10);
    let channel = Balanced::following(
        choice,
        towards_orders(),
        follow(Moving(name), towards_orders(), every, followed),
    );
    until(&channel, || one.calls() > 0).await;

    // A call under way on the old address, and none that fails while the name moves.
    let slow = tokio::spawn({
        let channel = channel.clone();
        async move { ask(&channel, SLOW, false).await }
    });
    let calls = one.calls();
    eventually(|| one.calls() > calls).await;
    move_on.send_replace(addresses(&two));
    until(&channel, || two.calls() > 50).await;
    one.go_on.cancel();
    slow.await.unwrap().unwrap();
    let (ones, twos) = (one.calls(), two.calls());
    for _ in 0..20 {
        ask(&channel, "/quick", false).await.unwrap();
    }
    assert_eq!((one.calls(), two.calls()), (ones, twos + 20));
}

#[tokio::test]
async fn a_callee_that_is_not_who_was_meant_gets_no_calls() {
    let elsewhere = Callee::start_as("payments", ([127, 0, 0, 1], 0).into()).await;
    let channel = over(&[&elsewhere]);
    let refused = Err(tonic::Code::Unavailable);
    assert_eq!(ask(&channel, "/quick", false).await, refused);
    assert_eq!(elsewhere.calls(), 0);
    let meant = Callee::start().await;
    ask(&over(&[&meant, &elsewhere]), "/quick", false)
        .await
        .unwrap();
    assert_eq!((meant.calls(), elsewhere.calls()), (1, 0));
}

#[tokio::test]
async fn a_caller_whose_certificate_is_refused_learns_why() {
    let callee = Callee::start().await;
    let dir = tempfile::tempdir().unwrap();
    let foreign = EVERYBODY.pki.foreign_ca(dir.path()).unwrap();
    let tls = foreign.dir_of("gateway");
    // It believes the callee, who does not believe it: TLS 1.3 says so after the caller's handshake.
    let both = [foreign.ca_file(), EVERYBODY.pki.ca_file()].map(|ca| fs::read(ca).unwrap());
    fs::write(tls.join("ca.crt"), both.concat()).unwrap();
    let stranger = Credentials::load("gateway", &tls, &foreign.jwt_key("gateway")).unwrap();
    let url = format!("https://{}", callee.address).parse().unwrap();
    let mut channel = Balanced::connect(url, stranger.towards("orders"));
    let told = async {
        loop {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = "/quick".parse().unwrap();
            let refused = channel.call(request).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::Unavailable);
            // An attempt may find the connection broken before it reads why; the next one does not.
            if refused.message().contains("UnknownCA") {
                return refused.message().to_owned();
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(20), told).await;
    let address = callee.address.to_string();
    assert!(told.expect("told in time").contains(&address));
    assert_eq!(callee.calls(), 0);
}

mod doors;
