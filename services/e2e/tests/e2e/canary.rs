//! Secrets never leave: unique ones are planted in a run with successes, refusals, outages and kills, while the log is asked for everything;
//! then every log file and everything that was sent over OTLP is searched for them. What is harmless must be found there, so that
//! nothing written cannot pass for nothing leaked.

use std::path::{Path, PathBuf};

use devstack::{DATABASES, Signal, Silent};
use serde_json::json;
use shopctl::telemetry::otlp::{self, Kept};
use shopctl::telemetry::store::Limits;
use tokio::net::TcpListener;

use crate::world::{World, place};

/// The most that anybody can ask for, libraries that quote statements and headers included.
const EVERYTHING: &str = "trace";
/// How every JWT begins, and every hash of a password: those of secrets that nobody planted, too.
const MARKS: [(&str, &str); 2] = [("a JWT", "eyJ"), ("a password's hash", "$argon2id$")];

/// What must be nowhere, and what it is.
struct Planted(Vec<(String, String)>);

impl Planted {
    fn add(&mut self, what: &str, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 12, "{what} could be found by chance");
        self.0.push((what.to_owned(), secret));
    }

    fn assert_absent(&self, place: &str, text: &str) {
        let planted = self.0.iter().map(|(what, secret)| (&**what, &**secret));
        for (what, secret) in planted.chain(MARKS) {
            assert!(
                !text.contains(secret),
                "{what} is in {place}: {}",
                around(text, secret)
            );
        }
    }
}

/// The line of a leak, for whoever has to find it.
fn around(text: &str, secret: &str) -> String {
    let line = text.lines().find(|line| line.contains(secret));
    line.unwrap_or_default().chars().take(400).collect()
}

fn log_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
    found
}

/// The bodies of PEM files below a directory: keys, not certificates.
fn private_keys(dir: &Path, planted: &mut Planted) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            private_keys(&path, planted);
        } else if path.extension().is_some_and(|extension| extension == "key") {
            let pem = std::fs::read_to_string(&path).unwrap();
            let line = pem
                .lines()
                .find(|line| line.len() > 40 && !line.starts_with('-'));
            planted.add(&format!("the key {}", path.display()), line.unwrap());
        }
    }
}

/// What a customer does, right and wrong, with secrets that nobody else has.
async fn a_customers_day(world: &World, planted: &mut Planted) {
    let email = "canary-customer-71c3@example.com";
    let password = "canary-password-9f2b";
    planted.add("the e-mail", "canary-customer-71c3");
    planted.add("the password", password);
    planted.add("a wrong password", "canary-wrong-4d1a");
    planted.add("a mistyped e-mail", "canary-nobody-55e0");
    planted.add("the payment method", "tok_canary_c0ffee");

    let api = world.anonymous.register(email, password).await.unwrap();
    let again = world.anonymous.login(email, password).await.unwrap();
    let fresh = again.refreshed().await.unwrap();
    for (number, who) in [&api, &again, &fresh].iter().enumerate() {
        let (access, refresh) = who.secrets();
        planted.add(&format!("access token {number}"), access.unwrap());
        planted.add(&format!("refresh token {number}"), refresh.unwrap());
    }
    let refused = async |path: &str, body: serde_json::Value| {
        let answer = world.anonymous.post(path, &body, &[]).await.unwrap();
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    };
    refused(
        "/api/v1/auth/login",
        json!({"email": email, "password": "canary-wrong-4d1a"}),
    )
    .await;
    refused(
        "/api/v1/auth/login",
        json!({"email": "canary-nobody-55e0@example.com", "password": password}),
    )
    .await;
    refused(
        "/api/v1/auth/register",
        json!({"email": email, "password": password}),
    )
    .await;
    refused(
        "/api/v1/auth/register",
        json!({"email": "canary-nobody-55e0", "password": "short", "canary-wrong-4d1a": 1}),
    )
    .await;
    refused(
        "/api/v1/auth/login",
        json!({"email": email, "password": [password]}),
    )
    .await;
    refused(
        "/api/v1/auth/refresh",
        json!({"refresh_token": again.secrets().1.unwrap()}),
    )
    .await;

    place(&api, "PLENTY", 1, "tok_ok", &[])
        .await
        .order_id()
        .unwrap();
    for method in ["tok_canary_c0ffee", "tok_canary_c0ffee with spaces"] {
        let answer = place(&api, "PLENTY", 1, method, &[]).await;
        assert!(answer.status == 201 || answer.status == 400, "{answer:?}");
    }
    let bearer = format!("Bearer {}x", api.secrets().0.unwrap());
    let forged = world
        .anonymous
        .post("/api/v1/orders", &json!({}), &[("authorization", &bearer)])
        .await
        .unwrap();
    assert_eq!(forged.status, 401);
    fresh.logout().await.unwrap();
    api.logout().await.unwrap();
}

#[tokio::test]
async fn no_secret_reaches_a_log_or_a_span() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let kept = Kept::new(Limits::default());
    let receiver = tokio::spawn(otlp::serve_grpc(listener, kept.clone()));
    let mut world = World::start_with(&[
        ("RUST_LOG", EVERYTHING),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
    ])
    .await;
    let mut planted = Planted(Vec::new());
    let secrets = world.stack.cluster.secrets();
    let user_key = world.stack.user_keys().secret().unwrap();
    planted.add("the key of users' tokens", &user_key);
    for database in DATABASES {
        planted.add(database.runtime, secrets.password(database.runtime));
        planted.add(database.owner, secrets.password(database.owner));
    }
    private_keys(world.stack.dir(), &mut planted);
    planted.add("the demo user's password", "correct-horse");
    let (access, refresh) = world.api.secrets();
    planted.add("the demo user's access token", access.unwrap());
    planted.add("the demo user's refresh token", refresh.unwrap());

    a_customers_day(&world, &mut planted).await;
    // Outages and kills write most of what is written.
    world.stack.nats.stop().await.unwrap();
    let dark = world.order("PLENTY", 1, "tok_ok").await;
    world
        .service("payments")
        .signal(Signal::Kill)
        .await
        .unwrap();
    world.stack.nats.start().await.unwrap();
    world.stack.cluster.stop().await.unwrap();
    let lost = world
        .anonymous
        .login("ada@example.com", "correct-horse")
        .await;
    assert!(lost.is_err(), "a login without a database");
    world.stack.cluster.start().await.unwrap();
    world.stack.all_ready().await.unwrap();
    world.reaches(dark.order_id().unwrap(), &["PAID"]).await;
    world.service("orders").signal(Signal::Kill).await.unwrap();
    world.stack.all_ready().await.unwrap();

    // Stopping flushes what is still to be written and sent.
    let dir = world.stack.dir().join("log");
    world.stack.stop(&Silent).await.unwrap();
    let mut bytes = 0;
    for file in log_files(&dir) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        planted.assert_absent(&file.display().to_string(), &text);
        bytes += text.len();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!text.is_empty(), "{name} wrote nothing");
        if ["gateway", "orders", "inventory", "payments"].contains(&name.as_str()) {
            assert!(text.contains(" is up"), "{name} wrote nothing of its start");
            // Inventory has nothing to say below `info` in such a run.
            let says_more = name == "inventory" || text.contains("DEBUG");
            assert!(says_more, "{name} did not write all it can");
        }
    }
    receiver.abort();
    let sent = format!("{kept:?}");
    planted.assert_absent("what was sent over OTLP", &sent);
    assert!(
        sent.contains("/api/v1/auth/register") && sent.contains("order.id"),
        "no spans of the run were sent"
    );
    println!(
        "canaries: {} secrets in none of {bytes} bytes of logs and {} bytes of telemetry",
        planted.0.len(),
        sent.len()
    );
}
