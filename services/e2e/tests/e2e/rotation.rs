//! Certificates, then the CA, then the keys of service tokens and of users' tokens, all replaced under load: no call fails, new connections see the new, and the old is refused.
//!
//! The load is open: calls begin when their time has come, each once, and count as failed however they end other than well.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use devstack::{JWT_SERVICES, Pki};
use shopapi_auth::service_token::ServiceTokens;
use shopapi_proto::inventory::v1::ListProductsRequest;
use shopapi_proto::orders::v1::ListOrdersRequest;
use shopapi_proto::payments::v1::GetPaymentRequest;
use shopapi_tls::Identity;
use shopctl::client::Api;

use crate::raw::{Call, H2, Outcome, PATIENCE, call, identity, now_s, served, signer};
use crate::world::World;

/// New connections, each with a call: one every 45 ms is 22 a second.
const CONNECTION_EVERY: Duration = Duration::from_millis(45);
/// Calls through the gateway: one every 4.5 ms is 222 a second.
const CALL_EVERY: Duration = Duration::from_micros(4_500);
/// Two busy cores do not bear that with unoptimised binaries: without this variable a quarter of it begins.
const FULL_LOAD: &str = "SHOPAPI_ROTATION_FULL_LOAD";
/// How often a log is looked at.
const POLL: Duration = Duration::from_millis(50);
/// Who serves gRPC, each with a caller and what it reads.
const PORTS: [(&str, &str); 3] = [
    ("orders", "gateway"),
    ("inventory", "gateway"),
    ("payments", "orders"),
];
const SERVICES: [&str; 4] = ["gateway", "orders", "inventory", "payments"];

fn slower() -> u32 {
    if std::env::var_os(FULL_LOAD).is_some() {
        1
    } else {
        4
    }
}

#[derive(Default)]
struct Count {
    begun: AtomicUsize,
    good: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Count {
    fn ended(&self, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.good.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => self.failures.lock().unwrap().push(reason),
        }
    }

    fn good(&self) -> usize {
        self.good.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.good() + self.failures.lock().unwrap().len() == self.begun.load(Ordering::Relaxed)
    }
}

/// One caller that follows its files, as a service does.
struct Caller {
    identity: Identity,
    tokens: ServiceTokens,
    callee: &'static str,
    addr: SocketAddr,
    call: Call,
}

impl Caller {
    fn new(world: &World, callee: &'static str, caller: &str) -> Self {
        let pki = world.stack.pki();
        let call = match callee {
            "orders" => Call::new(
                "/shopapi.orders.v1.OrdersService/ListOrders",
                &ListOrdersRequest {
                    customer_id: "018f0000-0000-7000-8000-000000000001".to_owned(),
                    limit: 1,
                    ..ListOrdersRequest::default()
                },
            ),
            "inventory" => Call::new(
                "/shopapi.inventory.v1.CatalogService/ListProducts",
                &ListProductsRequest {
                    limit: 1,
                    ..ListProductsRequest::default()
                },
            ),
            _ => Call::new(
                "/shopapi.payments.v1.PaymentsService/GetPayment",
                &GetPaymentRequest {
                    payment_ids: Vec::new(),
                },
            ),
        };
        Self {
            identity: identity(pki, caller),
            tokens: signer(pki, caller),
            callee,
            addr: world.stack.ports().grpc_of(callee).unwrap(),
            call,
        }
    }

    async fn call(&self) -> Result<(), String> {
        let token = self.tokens.for_callee(self.callee, now_s()).unwrap();
        let whole = self.call.clone().bearer(&token);
        let outcome = call(self.addr, self.identity.client_config(H2), &whole).await;
        if outcome.is_ok() {
            Ok(())
        } else {
            Err(format!("{}: {outcome}", self.callee))
        }
    }
}

/// The customer whose calls make the load. Who logs in again goes on with the new token.
type Customer = Arc<RwLock<Api>>;

struct Load {
    customer: Customer,
    connections: Arc<Count>,
    calls: Arc<Count>,
    stop: Arc<AtomicBool>,
    since: Instant,
}

impl Load {
    fn start(world: &World) -> Self {
        let load = Self {
            customer: Arc::new(RwLock::new(world.api.clone())),
            connections: Arc::default(),
            calls: Arc::default(),
            stop: Arc::default(),
            since: Instant::now(),
        };
        let callers: Vec<Arc<Caller>> = PORTS
            .into_iter()
            .map(|(callee, caller)| Arc::new(Caller::new(world, callee, caller)))
            .collect();
        for caller in &callers {
            tokio::spawn(caller.identity.watch());
            tokio::spawn(caller.tokens.watch());
        }
        load.every(CONNECTION_EVERY, &load.connections, move |turn| {
            let caller = Arc::clone(&callers[turn % callers.len()]);
            async move { caller.call().await }
        });
        let customer = Arc::clone(&load.customer);
        load.every(CALL_EVERY, &load.calls, move |turn| {
            let api = customer.read().unwrap().clone();
            async move { read(&api, turn).await }
        });
        load
    }

    fn every<F>(
        &self,
        pause: Duration,
        count: &Arc<Count>,
        begin: impl Fn(usize) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (count, stop) = (Arc::clone(count), Arc::clone(&self.stop));
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(pause * slower());
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                let turn = count.begun.fetch_add(1, Ordering::Relaxed);
                let (call, count) = (begin(turn), Arc::clone(&count));
                tokio::spawn(async move {
                    let ended = tokio::time::timeout(PATIENCE, call).await;
                    count.ended(ended.unwrap_or_else(|_| Err("no end".to_owned())));
                });
            }
        });
    }

    /// Two seconds of more calls: everybody has looked at the files twice, and what was under way has ended.
    async fn goes_on(&self) {
        let goal = self.calls.begun.load(Ordering::Relaxed) + 500 / slower() as usize;
        until("more calls", || {
            self.calls.good() + self.calls.failures.lock().unwrap().len() >= goal
        })
        .await;
    }

    async fn end(self) -> (Arc<Count>, Arc<Count>, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let took = self.since.elapsed();
        until("the last calls", || {
            self.connections.is_over() && self.calls.is_over()
        })
        .await;
        (self.connections, self.calls, took)
    }
}

/// A customer's read: the catalogue and the own orders in turn, which go to inventory and to orders.
async fn read(api: &Api, turn: usize) -> Result<(), String> {
    let path = ["/api/v1/products?limit=1", "/api/v1/orders?limit=1"][turn % 2];
    let answer = api.get(path).await.map_err(|error| format!("{error:#}"))?;
    match answer.expect(&[200]) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{path}: {error:#}")),
    }
}

async fn until(what: &str, mut seen: impl FnMut() -> bool) {
    let began = Instant::now();
    let mut tick = tokio::time::interval(POLL);
    while !seen() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tick.tick().await;
    }
}

/// The services' logs, which tell what was taken from files.
struct Logs(Vec<(&'static str, PathBuf)>);

impl Logs {
    fn of(world: &World) -> Self {
        Self(
            SERVICES
                .into_iter()
                .map(|service| (service, world.service(service).log().to_owned()))
                .collect(),
        )
    }

    /// How often a service has taken a replacement of `what`.
    fn taken(&self, service: &str, what: &str) -> usize {
        let (_, log) = self.0.iter().find(|(name, _)| *name == service).unwrap();
        let text = std::fs::read_to_string(log).unwrap();
        text.lines()
            .filter(|line| line.contains("replaced files are in use") && line.contains(what))
            .count()
    }

    /// Does something to the files and waits until these services have taken it.
    async fn follow(&self, services: &[&str], what: &str, change: impl FnOnce()) {
        let before: Vec<usize> = services.iter().map(|name| self.taken(name, what)).collect();
        change();
        until(what, || {
            services
                .iter()
                .zip(&before)
                .all(|(name, before)| self.taken(name, what) > *before)
        })
        .await;
    }
}

const IDENTITY: &str = "TLS identity";
const SIGNING_KEY: &str = "key of service tokens";
const PUBLIC_KEYS: &str = "public keys of services";
const USER_KEYS: &str = "keys of users' tokens";

/// The serial numbers that the ports serve.
async fn serials(world: &World) -> Vec<String> {
    let config = identity(world.stack.pki(), "shopctl").client_config(H2);
    let mut serials = Vec::new();
    for service in SERVICES {
        let addr = world.stack.ports().grpc_of(service).unwrap();
        let peer = served(addr, Arc::clone(&config)).await.unwrap();
        assert_eq!(&*peer.name, service);
        serials.push(peer.serial.to_string());
    }
    serials
}

async fn rotate_certificates(logs: &Logs, pki: &Pki) {
    for service in SERVICES {
        logs.follow(&[service], IDENTITY, || pki.renew_leaf(service).unwrap())
            .await;
    }
}

async fn rotate_authority(world: &World, logs: &Logs, load: &Load) {
    let pki = world.stack.pki();
    logs.follow(&SERVICES, IDENTITY, || pki.start_ca_rotation().unwrap())
        .await;
    reload_servers(world);
    load.goes_on().await;
    logs.follow(&SERVICES, IDENTITY, || pki.renew_leaves().unwrap())
        .await;
    reload_servers(world);
    load.goes_on().await;
    logs.follow(&SERVICES, IDENTITY, || pki.finish_ca_rotation().unwrap())
        .await;
    reload_servers(world);
}

/// PostgreSQL and NATS read their files when they are told to.
fn reload_servers(world: &World) {
    world.stack.cluster.reload_identity().unwrap();
    world.stack.nats.reload_identity().unwrap();
}

async fn rotate_signing_keys(logs: &Logs, pki: &Pki, load: &Load) {
    logs.follow(&SERVICES, PUBLIC_KEYS, || {
        for service in JWT_SERVICES {
            pki.announce_jwt_key(service).unwrap();
        }
    })
    .await;
    load.goes_on().await;
    logs.follow(&SERVICES, SIGNING_KEY, || {
        for service in JWT_SERVICES {
            pki.switch_jwt_key(service).unwrap();
        }
    })
    .await;
    load.goes_on().await;
    logs.follow(&SERVICES, PUBLIC_KEYS, || {
        for service in JWT_SERVICES {
            pki.retire_jwt_key(service).unwrap();
        }
    })
    .await;
}

/// The old token is good until the last step; a customer who logs in after the second has a new one.
async fn rotate_user_keys(world: &World, logs: &Logs, load: &Load) {
    let keys = world.stack.user_keys();
    let gateway = ["gateway"];
    logs.follow(&gateway, USER_KEYS, || keys.announce().unwrap())
        .await;
    load.goes_on().await;
    logs.follow(&gateway, USER_KEYS, || keys.switch().unwrap())
        .await;
    load.goes_on().await;
    *load.customer.write().unwrap() = world.login_again().await;
    load.goes_on().await;
    logs.follow(&gateway, USER_KEYS, || keys.retire().unwrap())
        .await;
    // The token that `world` began with is signed with the retired key.
    let answer = world.api.get("/api/v1/orders?limit=1").await.unwrap();
    println!("  gateway   old users' key: {}", answer.status);
    assert_eq!(answer.status, 401);
}

/// Copies an identity as it is, with what it signs.
fn keep(pki: &Pki, service: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["tls.crt", "tls.key", "ca.crt", "jwt.key"] {
        std::fs::copy(pki.dir_of(service).join(file), dir.path().join(file)).unwrap();
    }
    dir
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_rotated_under_load_and_no_call_fails() {
    let world = World::start().await;
    let pki = world.stack.pki();
    let logs = Logs::of(&world);
    let old_files = keep(pki, "gateway");
    let first = serials(&world).await;

    let load = Load::start(&world);
    load.goes_on().await;
    rotate_certificates(&logs, pki).await;
    load.goes_on().await;
    let second = serials(&world).await;
    rotate_authority(&world, &logs, &load).await;
    load.goes_on().await;
    let third = serials(&world).await;
    rotate_signing_keys(&logs, pki, &load).await;
    load.goes_on().await;
    rotate_user_keys(&world, &logs, &load).await;
    load.goes_on().await;
    let (connections, calls, took) = load.end().await;

    let rate = |count: &Count| count.good() as f64 / took.as_secs_f64();
    println!(
        "{:.0} s: {} new connections ({:.0}/s), {} calls ({:.0}/s), {} and {} failed",
        took.as_secs_f64(),
        connections.good(),
        rate(&connections),
        calls.good(),
        rate(&calls),
        connections.failures.lock().unwrap().len(),
        calls.failures.lock().unwrap().len(),
    );
    for (service, ((first, second), third)) in
        SERVICES.iter().zip(first.iter().zip(&second).zip(&third))
    {
        println!("  {service:<9} serial {first} -> {second} -> {third}");
        assert!(first != second && second != third, "{service}");
    }
    assert_eq!(*connections.failures.lock().unwrap(), Vec::<String>::new());
    assert_eq!(*calls.failures.lock().unwrap(), Vec::<String>::new());
    let promised = |full: f64| full / f64::from(slower());
    assert!(rate(&connections) >= promised(20.0) && rate(&calls) >= promised(200.0));
    the_old_is_refused(&world, old_files.path()).await;
    world.audit_and_stop().await;
}

/// The old certificate, presented to ports that are trusted by the new CA, and the old signing key.
async fn the_old_is_refused(world: &World, old: &std::path::Path) {
    let pki = world.stack.pki();
    let files = shopapi_tls::IdentityFiles::in_dir(old);
    let stale = Identity::load(files).unwrap();
    let roots = shopapi_tls::TrustedRoots::load(pki.ca_file()).unwrap();
    let believes = stale.client_config_trusting(&roots, H2).unwrap();
    let health = Call::new("/grpc.health.v1.Health/Check", &());
    for service in SERVICES {
        let addr = world.stack.ports().grpc_of(service).unwrap();
        let outcome = call(addr, Arc::clone(&believes), &health).await;
        println!("  {service:<9} old CA: {outcome}");
        assert!(matches!(outcome, Outcome::Cut(_)), "{service}: {outcome}");
        let current = identity(pki, "shopctl").client_config(H2);
        let outcome = call(addr, current, &health).await;
        assert!(outcome.is_ok(), "{service}: {outcome}");
    }
    let caller = Caller::new(world, "orders", "gateway");
    caller.call().await.unwrap();
    let retired = ServiceTokens::load("gateway", old.join("jwt.key")).unwrap();
    let token = retired.for_callee("orders", now_s()).unwrap();
    let wrong = caller.call.clone().bearer(&token);
    let outcome = call(caller.addr, caller.identity.client_config(H2), &wrong).await;
    println!("  orders    old signing key: {outcome}");
    assert!(!outcome.is_ok());
}
