//! Who may call whom, on every gRPC port of a whole stack. Each refusal stands beside the same call that succeeds under the right identity, so that a closed
//! port cannot pass, and nothing that is refused changes a row in any database.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use shopapi_proto::admin::v1::GetTreeRequest;
use shopapi_proto::common::v1::Line;
use shopapi_proto::inventory::v1::{ReserveItem, ReserveRequest};
use shopapi_proto::orders::v1::CreateOrderRequest;
use shopapi_proto::payments::v1::{PaymentParameters, RequestPaymentRequest};
use shopapi_tls::TrustedRoots;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::Code;

use crate::raw::{
    Call, H2, Link, Outcome, PATIENCE, call, framed, identity, now_s, secured, signer,
};
use crate::rows::fingerprint;
use crate::world::World;

const UUID: &str = "018f0000-0000-7000-8000-000000000001";

/// A gRPC port, and a call that its right caller may make: it writes wherever something can be written.
struct Port {
    callee: &'static str,
    addr: SocketAddr,
    caller: &'static str,
    /// Has a certificate and a token and no row for this call.
    stranger: &'static str,
    call: Call,
}

fn ports(world: &World) -> [Port; 4] {
    let port = |callee: &'static str, caller, stranger, call| Port {
        callee,
        addr: world.stack.ports().grpc_of(callee).unwrap(),
        caller,
        stranger,
        call,
    };
    let lines = vec![Line {
        sku: "PLENTY".to_owned(),
        quantity: 1,
    }];
    let order = CreateOrderRequest {
        customer_id: UUID.to_owned(),
        items: lines.clone(),
        payment_method: "tok_ok".to_owned(),
        ..CreateOrderRequest::default()
    };
    let reserve = ReserveItem {
        reservation_id: UUID.to_owned(),
        order_id: 1_000_000,
        lines,
        ..ReserveItem::default()
    };
    let payment = PaymentParameters {
        payment_id: UUID.to_owned(),
        order_id: 1_000_000,
        amount_cents: 500,
        currency: "EUR".to_owned(),
        payment_method: "tok_ok".to_owned(),
        ..PaymentParameters::default()
    };
    [
        port(
            "orders",
            "gateway",
            "inventory",
            Call::new("/shopapi.orders.v1.OrdersService/CreateOrder", &order),
        ),
        port(
            "inventory",
            "orders",
            "gateway",
            Call::new(
                "/shopapi.inventory.v1.InventoryService/Reserve",
                &ReserveRequest {
                    items: vec![reserve],
                },
            ),
        ),
        port(
            "payments",
            "orders",
            "gateway",
            Call::new(
                "/shopapi.payments.v1.PaymentsService/RequestPayment",
                &RequestPaymentRequest {
                    items: vec![payment],
                },
            ),
        ),
        port(
            "gateway",
            "shopctl",
            "orders",
            Call::new("/shopapi.admin.v1.TreeService/GetTree", &GetTreeRequest {}),
        ),
    ]
}

/// How a call has to end. A refusal for another reason than the one that is tried would say nothing about it.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// With one of these codes.
    Codes(&'static [Code]),
    /// Without a status of gRPC, and for a reason that says this.
    Cut(&'static str),
}

/// By the door, which does not know who it is.
const UNKNOWN: Due = Due::Codes(&[Code::Unauthenticated]);
/// By the door, which knows who it is.
const FORBIDDEN: Due = Due::Codes(&[Code::PermissionDenied]);
const ANSWERED: Due = Due::Codes(&[Code::Ok]);
const ANSWERED_OR_LATE: Due = Due::Codes(&[Code::Ok, Code::DeadlineExceeded, Code::Cancelled]);
/// By HTTP/2, before anything of gRPC.
const HEADERS_TOO_LARGE: Due = Due::Cut("HTTP 431");

impl Due {
    fn is(self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Codes(codes), Outcome::Status(code, _)) => {
                codes.contains(&Code::from_i32(*code))
            }
            (Self::Cut(says), Outcome::Cut(reason)) => reason.contains(says),
            (Self::Codes(_), Outcome::Cut(_)) | (Self::Cut(_), Outcome::Status(..)) => false,
        }
    }
}

/// Collects what was refused and why, for people to read, what was borne, and what ended otherwise than it should.
#[derive(Default)]
struct Told {
    refused: Vec<String>,
    borne: Vec<String>,
    wrong: Vec<String>,
}

impl Told {
    fn refused(&mut self, port: &Port, what: &str, outcome: &Outcome, due: Due) {
        assert!(!outcome.is_ok(), "{} took {what}", port.callee);
        let line = line(port, what, outcome);
        self.expect(due, outcome, &line);
        self.refused.push(line);
    }

    fn borne(&mut self, port: &Port, what: &str, outcome: &Outcome, due: Due) {
        let line = line(port, what, outcome);
        self.expect(due, outcome, &line);
        self.borne.push(line);
    }

    fn expect(&mut self, due: Due, outcome: &Outcome, line: &str) {
        if !due.is(outcome) {
            self.wrong.push(format!("{line}; due was {due:?}"));
        }
    }
}

fn line(port: &Port, what: &str, outcome: &Outcome) -> String {
    let number = port.addr.port();
    format!("{:<9} {number:<5} {what:<44} {outcome}", port.callee)
}

struct Trial<'a> {
    world: &'a World,
    foreign: devstack::Pki,
    told: Told,
}

impl Trial<'_> {
    fn config_of(&self, service: &str) -> Arc<ClientConfig> {
        identity(self.world.stack.pki(), service).client_config(H2)
    }

    fn token(&self, service: &str, callee: &str) -> String {
        let token = signer(self.world.stack.pki(), service).for_callee(callee, now_s());
        token.unwrap().to_string()
    }

    /// The port is open for who should get in: health, at this moment.
    async fn is_open(&self, port: &Port) {
        let health = Call::new("/grpc.health.v1.Health/Check", &());
        let outcome = call(port.addr, self.config_of(port.caller), &health).await;
        assert!(outcome.is_ok(), "{}: {outcome}", port.callee);
    }

    async fn connections(&mut self, port: &Port) {
        let pki = self.world.stack.pki();
        let right = port
            .call
            .clone()
            .bearer(&self.token(port.caller, port.callee));
        let ours = TrustedRoots::load(pki.ca_file()).unwrap();

        let plaintext = match TcpStream::connect(port.addr).await {
            Ok(stream) => match Link::over(stream).await {
                Ok(link) => link.call(&right).await,
                Err(reason) => Outcome::Cut(reason),
            },
            Err(error) => panic!("{error}"),
        };
        self.told
            .refused(port, "plaintext", &plaintext, Due::Cut(""));
        self.is_open(port).await;

        let old = with_version(pki, port.caller, &rustls::version::TLS12);
        let outcome = call(port.addr, old, &right).await;
        let due = Due::Cut("ProtocolVersion");
        self.told.refused(port, "TLS 1.2", &outcome, due);
        let new = with_version(pki, port.caller, &rustls::version::TLS13);
        let health = Call::new("/grpc.health.v1.Health/Check", &());
        let outcome = call(port.addr, new, &health).await;
        assert!(outcome.is_ok(), "the same with TLS 1.3: {outcome}");

        let outcome = call(port.addr, ours.client_config(H2), &right).await;
        assert!(!outcome.is_ok(), "no client certificate: {outcome}");
        let alert = Outcome::Cut(crate::raw::alert(port.addr, ours.client_config(H2)).await);
        let due = Due::Cut("CertificateRequired");
        self.told
            .refused(port, "no client certificate", &alert, due);
        self.is_open(port).await;

        let stranger = identity(&self.foreign, port.caller);
        let believes = stranger.client_config_trusting(&ours, H2).unwrap();
        let outcome = call(port.addr, Arc::clone(&believes), &right).await;
        assert!(!outcome.is_ok(), "certificate of another CA: {outcome}");
        let alert = Outcome::Cut(crate::raw::alert(port.addr, believes).await);
        let due = Due::Cut("UnknownCA");
        self.told
            .refused(port, "certificate of another CA", &alert, due);
        let outcome = call(port.addr, stranger.client_config(H2), &right).await;
        let (what, due) = (
            "our certificate to who trusts another CA",
            Due::Cut("UnknownIssuer"),
        );
        self.told.refused(port, what, &outcome, due);
        self.is_open(port).await;
    }

    async fn tokens(&mut self, port: &Port) {
        let pki = self.world.stack.pki();
        let good = self.token(port.caller, port.callee);
        let payload = good.split('.').nth(1).unwrap();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{signed}.{first}{}", &signature[1..]);
        let ended = signer(pki, port.caller).for_callee(port.callee, now_s() - 120);
        let early = signer(pki, port.caller).for_callee(port.callee, now_s() + 120);
        let foreign = signer(&self.foreign, port.caller).for_callee(port.callee, now_s());
        let user = self.world.api.secrets().0.unwrap().to_owned();
        for (what, token) in [
            (
                "token of another service",
                self.token(port.stranger, port.callee),
            ),
            (
                "token for another callee",
                self.token(port.caller, "somebody-else"),
            ),
            ("expired token", ended.unwrap().to_string()),
            ("token from the future", early.unwrap().to_string()),
            ("forged token", forged),
            ("token of an unknown key", foreign.unwrap().to_string()),
            // {"alg":"none","typ":"JWT"}
            (
                "alg none",
                format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."),
            ),
            ("token without a signature", signed.to_owned()),
            ("token of a user", user),
            ("token of 8 KiB", "x".repeat(8 * 1024)),
            ("empty token", String::new()),
        ] {
            let wrong = port.call.clone().bearer(&token);
            let outcome = call(port.addr, self.config_of(port.caller), &wrong).await;
            self.told.refused(port, what, &outcome, UNKNOWN);
        }
        let long = port.call.clone().bearer(&"x".repeat(64 * 1024));
        let outcome = call(port.addr, self.config_of(port.caller), &long).await;
        // So far beyond the limit HTTP/2 ends the whole connection.
        self.told
            .refused(port, "token of 64 KiB", &outcome, Due::Cut(""));
        for (what, wrong) in [
            ("no token", port.call.clone()),
            ("two tokens", port.call.clone().bearer(&good).bearer(&good)),
            (
                "no bearer token",
                port.call
                    .clone()
                    .with("authorization", format!("Basic {good}")),
            ),
        ] {
            let outcome = call(port.addr, self.config_of(port.caller), &wrong).await;
            self.told.refused(port, what, &outcome, UNKNOWN);
        }
        // Both right by themselves.
        let theirs = port
            .call
            .clone()
            .bearer(&self.token(port.stranger, port.callee));
        let outcome = call(port.addr, self.config_of(port.stranger), &theirs).await;
        let what = "caller without a row for the method";
        self.told.refused(port, what, &outcome, FORBIDDEN);
        let mut unknown = port.call.clone().bearer(&good);
        unknown.path = "/shopapi.payments.v1.PaymentsService/GiveAway";
        let outcome = call(port.addr, self.config_of(port.caller), &unknown).await;
        // Without a table the router would say UNIMPLEMENTED.
        self.told
            .refused(port, "method without a row", &outcome, FORBIDDEN);
        self.is_open(port).await;
    }

    async fn frames(&mut self, port: &Port) {
        let good = port
            .call
            .clone()
            .bearer(&self.token(port.caller, port.callee));
        let mut large = good.clone();
        large.body = framed(&vec![0; 5 * 1024 * 1024]);
        let mut promised = good.clone();
        promised.body = Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        let mut short = good.clone();
        short.body = good.body.slice(..good.body.len().min(8)).slice(..3);
        let mut compressed = good.clone();
        compressed.body = Bytes::from([&[1_u8], &good.body[1..]].concat());
        let mut garbage = good.clone();
        garbage.body = framed(&[0xff; 64]);
        let mut wrong_type = good.clone();
        wrong_type.headers.push(("grpc-encoding", "br".to_owned()));
        let mut many = good.clone();
        many.headers.push(("x-large", "x".repeat(32 * 1024)));
        // Behind the door, where the bytes are read: none of these is about who calls.
        const TOO_LARGE: Due = Due::Codes(&[Code::OutOfRange]);
        const UNREADABLE: Due = Due::Codes(&[Code::Internal]);
        const UNIMPLEMENTED: Due = Due::Codes(&[Code::Unimplemented]);
        for (what, wrong, due) in [
            ("message of 5 MiB", &large, TOO_LARGE),
            ("message that promises 4 GiB", &promised, TOO_LARGE),
            ("message cut off in its prefix", &short, UNREADABLE),
            (
                "compressed flag without a compression",
                &compressed,
                UNREADABLE,
            ),
            ("message that is no protobuf", &garbage, UNREADABLE),
            ("unknown compression", &wrong_type, UNIMPLEMENTED),
            ("headers of 32 KiB", &many, HEADERS_TOO_LARGE),
        ] {
            let outcome = call(port.addr, self.config_of(port.caller), wrong).await;
            self.told.refused(port, what, &outcome, due);
        }
        for (what, bytes, due) in [
            (
                "HTTP/2 frame beyond the limit",
                &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1][..],
                "GOAWAY FRAME_SIZE_ERROR",
            ),
            (
                "data on a stream that was never opened",
                &[0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
                "GOAWAY PROTOCOL_ERROR",
            ),
            ("no HTTP/2 at all", b"GET / HTTP/1.1\r\n\r\n", "closed"),
        ] {
            let bare = bytes.starts_with(b"GET");
            let mut stream = greeted(port.addr, self.config_of(port.caller), bare, bytes).await;
            // This side stays open: the server has to end it.
            let ended = Outcome::Cut(end_of(&mut stream).await);
            self.told.refused(port, what, &ended, Due::Cut(due));
        }
        // More could come, so nothing is wrong with it until the caller is gone.
        let config = self.config_of(port.caller);
        let mut stream = greeted(port.addr, config, false, &[0, 0, 100, 0, 0]).await;
        stream.shutdown().await.unwrap();
        let ended = Outcome::Cut(end_of(&mut stream).await);
        let what = "HTTP/2 frame cut off";
        self.told.refused(port, what, &ended, Due::Cut("closed"));
        self.is_open(port).await;
    }

    /// A call that is given up half-way: its message never arrives whole, so nothing begins.
    async fn cancelled(&mut self, port: &Port) {
        let good = port
            .call
            .clone()
            .bearer(&self.token(port.caller, port.callee));
        let link = Link::open(port.addr, self.config_of(port.caller))
            .await
            .unwrap();
        for _ in 0..20 {
            let (answer, mut body) = link.begin(&good).await.unwrap();
            let _ = body.send_data(good.body.slice(..3), false);
            body.send_reset(h2::Reason::CANCEL);
            drop(answer);
        }
        let health = Call::new("/grpc.health.v1.Health/Check", &());
        let outcome = link.call(&health).await;
        let what = "20 given up before their message was whole";
        self.told.borne(port, what, &outcome, ANSWERED);
    }

    /// What is no deadline by gRPC's rules is none; what is one holds. Neither harms anybody.
    async fn deadlines(&mut self, port: &Port) {
        // Only reads: a call with a deadline may be executed.
        let read = Call::new("/grpc.health.v1.Health/Check", &());
        for (absurd, due) in [
            ("99999999H", ANSWERED),
            ("999999999999H", ANSWERED),
            ("-1S", ANSWERED),
            ("1x", ANSWERED),
            ("", ANSWERED),
            ("NaNS", ANSWERED),
            // Over before it begins, unless the answer is there by then.
            ("0n", ANSWERED_OR_LATE),
        ] {
            let absurdly = read.clone().with("grpc-timeout", absurd);
            let outcome = call(port.addr, self.config_of(port.caller), &absurdly).await;
            let what = format!("grpc-timeout {absurd:?}");
            self.told.borne(port, &what, &outcome, due);
        }
        self.is_open(port).await;
    }
}

fn with_version(
    pki: &devstack::Pki,
    service: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let file = |name: &str| std::fs::read(pki.dir_of(service).join(name)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&file("ca.crt")).unwrap())
        .unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&file("tls.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&file("tls.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A connection on which bytes follow the greeting, or stand in its place.
async fn greeted(
    addr: SocketAddr,
    config: Arc<ClientConfig>,
    bare: bool,
    bytes: &[u8],
) -> TlsStream<TcpStream> {
    let mut stream = secured(addr, config).await.unwrap();
    if !bare {
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
    }
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

/// How the server ends a connection: with which reason, if it gives one.
async fn end_of(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // Without TLS's farewell a close is an error, and no less a close.
    let _ = read.expect("the server keeps a broken connection open");
    match goaway(&answer) {
        Some(reason) => format!("GOAWAY {reason:?}"),
        None => "closed without a reason".to_owned(),
    }
}

/// The reason of the last GOAWAY among frames.
fn goaway(mut frames: &[u8]) -> Option<h2::Reason> {
    let mut reason = None;
    while frames.len() >= 9 {
        let length = u32::from_be_bytes([0, frames[0], frames[1], frames[2]]) as usize;
        let payload = frames.get(9..9 + length)?;
        if frames[3] == 7 {
            let code = payload.get(4..8)?;
            reason = Some(u32::from_be_bytes(code.try_into().ok()?).into());
        }
        frames = &frames[9 + length..];
    }
    reason
}

#[tokio::test]
async fn nobody_gets_in_where_they_do_not_belong() {
    let world = World::start().await;
    let foreign = tempfile::tempdir().unwrap();
    let mut trial = Trial {
        world: &world,
        foreign: world.stack.pki().foreign_ca(foreign.path()).unwrap(),
        told: Told::default(),
    };
    let before = fingerprint(&world.stack).await;
    for port in &ports(&world) {
        trial.connections(port).await;
        trial.tokens(port).await;
        trial.frames(port).await;
        trial.cancelled(port).await;
        trial.deadlines(port).await;
    }
    assert_eq!(fingerprint(&world.stack).await, before, "rows changed");
    let wrong = &trial.told.wrong;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The very calls that were refused, by who may make them.
    for port in &ports(&world) {
        let right = port
            .call
            .clone()
            .bearer(&trial.token(port.caller, port.callee));
        let outcome = call(port.addr, trial.config_of(port.caller), &right).await;
        assert!(outcome.is_ok(), "{}: {outcome}", port.callee);
    }
    let after = fingerprint(&world.stack).await;
    for database in ["ordersdb", "inventorydb", "paymentsdb"] {
        let of = |rows: &std::collections::BTreeMap<String, (i64, String)>| {
            let all = rows.iter().filter(|(table, _)| table.starts_with(database));
            all.map(|(_, digest)| digest.clone()).collect::<Vec<_>>()
        };
        assert_ne!(of(&after), of(&before), "{database} was written to");
    }
    for (what, lines) in [
        ("refused", &trial.told.refused),
        ("borne", &trial.told.borne),
    ] {
        println!("{} {what}, no row changed:", lines.len());
        for line in lines {
            println!("  {line}");
        }
    }
    world.stack.discard(&devstack::Silent).await;
}

/// A call that is given up when the service has all of it may have begun. What has begun is done once and ends, and whoever asks again learns of it.
#[tokio::test]
async fn an_order_whose_caller_gives_up_exists_once_and_ends() {
    const ORDERS: i64 = 10;
    let world = World::start().await;
    let addr = world.stack.ports().grpc_of("orders").unwrap();
    let config = identity(world.stack.pki(), "gateway").client_config(H2);
    let tokens = signer(world.stack.pki(), "gateway");
    let create = |number: i64| {
        let order = CreateOrderRequest {
            customer_id: UUID.to_owned(),
            items: vec![Line {
                sku: "PLENTY".to_owned(),
                quantity: 1,
            }],
            // Slow enough that nobody has an answer when the caller gives up.
            payment_method: "tok_slow_3000".to_owned(),
            idempotency_key: format!("given-up-{number}"),
            request_fingerprint: vec![7; 32],
            wait_ms: 8_000,
        };
        // Good for a minute, and renewed before.
        let token = tokens.for_callee("orders", now_s()).unwrap();
        Call::new("/shopapi.orders.v1.OrdersService/CreateOrder", &order).bearer(&token)
    };
    let of = |condition: &str| {
        format!("SELECT count(*) FROM orders WHERE customer_id = '{UUID}' AND {condition}")
    };

    let link = Link::open(addr, config).await.unwrap();
    for number in 0..ORDERS {
        let call = create(number);
        let (mut answer, mut body) = link.begin(&call).await.unwrap();
        body.send_data(call.body.clone(), true).unwrap();
        // Every other one when its order is in the books.
        if number % 2 == 1 {
            let key = format!(
                "EXISTS (SELECT FROM idempotency_keys k WHERE k.order_id = orders.order_id AND k.key = 'given-up-{number}')"
            );
            world.count_reaches("orders", &of(&key), 1).await;
            let early = futures::poll!(&mut answer);
            assert!(early.is_pending(), "answered before it was given up");
        }
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
    }
    let health = Call::new("/grpc.health.v1.Health/Check", &());
    assert!(
        link.call(&health).await.is_ok(),
        "the connection has to go on"
    );

    // Those whose order nobody has seen: asked for again under the same key, as a caller does.
    for number in (0..ORDERS).step_by(2) {
        let outcome = link.call(&create(number)).await;
        assert!(outcome.is_ok(), "order {number}: {outcome}");
    }
    world
        .count_reaches("orders", &of("status = 'PAID'"), ORDERS)
        .await;
    assert_eq!(world.count("orders", &of("true")).await, ORDERS);
    world.audit_and_stop().await;
}
