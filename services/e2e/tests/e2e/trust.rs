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

/// Collects what was refused and why, for people to read, and what was borne.
#[derive(Default)]
struct Told {
    refused: Vec<String>,
    borne: Vec<String>,
}

impl Told {
    fn refused(&mut self, port: &Port, what: &str, outcome: &Outcome) {
        assert!(!outcome.is_ok(), "{} took {what}", port.callee);
        self.refused.push(format!(
            "{:<9} {:<5} {what:<44} {outcome}",
            port.callee,
            port.addr.port()
        ));
    }
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
        self.told.refused(port, "plaintext", &plaintext);
        self.is_open(port).await;

        let old = with_version(pki, port.caller, &rustls::version::TLS12);
        let outcome = call(port.addr, old, &right).await;
        self.told.refused(port, "TLS 1.2", &outcome);
        let new = with_version(pki, port.caller, &rustls::version::TLS13);
        let health = Call::new("/grpc.health.v1.Health/Check", &());
        let outcome = call(port.addr, new, &health).await;
        assert!(outcome.is_ok(), "the same with TLS 1.3: {outcome}");

        let outcome = call(port.addr, ours.client_config(H2), &right).await;
        assert!(!outcome.is_ok(), "no client certificate: {outcome}");
        let alert = crate::raw::alert(port.addr, ours.client_config(H2)).await;
        assert!(alert.contains("CertificateRequired"), "{alert}");
        self.told
            .refused(port, "no client certificate", &Outcome::Cut(alert));
        self.is_open(port).await;

        let stranger = identity(&self.foreign, port.caller);
        let believes = stranger.client_config_trusting(&ours, H2).unwrap();
        let outcome = call(port.addr, Arc::clone(&believes), &right).await;
        assert!(!outcome.is_ok(), "certificate of another CA: {outcome}");
        let alert = crate::raw::alert(port.addr, believes).await;
        assert!(alert.contains("UnknownCA"), "{alert}");
        self.told
            .refused(port, "certificate of another CA", &Outcome::Cut(alert));
        let outcome = call(port.addr, stranger.client_config(H2), &right).await;
        self.told
            .refused(port, "our certificate to who trusts another CA", &outcome);
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
            ("token of 64 KiB", "x".repeat(64 * 1024)),
            ("empty token", String::new()),
        ] {
            let wrong = port.call.clone().bearer(&token);
            let outcome = call(port.addr, self.config_of(port.caller), &wrong).await;
            self.told.refused(port, what, &outcome);
        }
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
            self.told.refused(port, what, &outcome);
        }
        // Both right by themselves.
        let theirs = port
            .call
            .clone()
            .bearer(&self.token(port.stranger, port.callee));
        let outcome = call(port.addr, self.config_of(port.stranger), &theirs).await;
        self.told
            .refused(port, "caller without a row for the method", &outcome);
        let mut unknown = port.call.clone().bearer(&good);
        unknown.path = "/shopapi.payments.v1.PaymentsService/GiveAway";
        let outcome = call(port.addr, self.config_of(port.caller), &unknown).await;
        self.told.refused(port, "method without a row", &outcome);
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
        for (what, wrong) in [
            ("message of 5 MiB", &large),
            ("message that promises 4 GiB", &promised),
            ("message cut off in its prefix", &short),
            ("compressed flag without a compression", &compressed),
            ("message that is no protobuf", &garbage),
            ("unknown compression", &wrong_type),
            ("headers of 32 KiB", &many),
        ] {
            let outcome = call(port.addr, self.config_of(port.caller), wrong).await;
            self.told.refused(port, what, &outcome);
        }
        for (what, bytes) in [
            (
                "HTTP/2 frame beyond the limit",
                &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1][..],
            ),
            ("HTTP/2 frame cut off", &[0, 0, 100, 0, 0]),
            (
                "data on a stream that was never opened",
                &[0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
            ),
            ("no HTTP/2 at all", b"GET / HTTP/1.1\r\n\r\n"),
        ] {
            let is_http1 = bytes.starts_with(b"GET");
            let reason = raw(port.addr, self.config_of(port.caller), is_http1, bytes).await;
            self.told.refused(port, what, &Outcome::Cut(reason));
        }
        self.is_open(port).await;
    }

    /// A call that is given up half-way: its message never arrives whole.
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
        assert!(outcome.is_ok(), "the connection goes on: {outcome}");
        self.told.borne.push(format!(
            "{:<9} {:<5} {:<44} 20 given up, the connection goes on",
            port.callee,
            port.addr.port(),
            "cancel mid-call"
        ));
    }

    /// Deadlines without sense end the call in bounded time and harm nobody.
    async fn deadlines(&mut self, port: &Port) {
        // Only reads: a call with a deadline may be executed.
        let read = Call::new("/grpc.health.v1.Health/Check", &());
        for absurd in ["99999999H", "999999999999H", "0n", "-1S", "1x", "", "NaNS"] {
            let absurdly = read.clone().with("grpc-timeout", absurd);
            let outcome = call(port.addr, self.config_of(port.caller), &absurdly).await;
            self.told.borne.push(format!(
                "{:<9} {:<5} {:<44} {outcome}",
                port.callee,
                port.addr.port(),
                format!("grpc-timeout {absurd:?}")
            ));
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

/// Sends bytes after the greeting and tells how the server ends the connection.
async fn raw(addr: SocketAddr, config: Arc<ClientConfig>, bare: bool, bytes: &[u8]) -> String {
    let mut stream = secured(addr, config).await.unwrap();
    if !bare {
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
    }
    stream.write_all(bytes).await.unwrap();
    // Nothing more will come; the server may have gone first.
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let ended = read.expect("the server keeps a broken connection open");
    match (goaway(&answer), ended) {
        (Some(reason), _) => format!("GOAWAY {reason:?}"),
        (None, Ok(_)) => "connection closed".to_owned(),
        (None, Err(error)) => error.to_string(),
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
