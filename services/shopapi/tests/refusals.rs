//! What a service refuses to start with. Each time the same environment without the fault is the pair that starts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use devstack::{Pki, TestStack};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Far above what a start takes, far below a test runner's patience.
const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "b7f3a9d05c1e48826f0d9e3ba4c57186";

/// The environment of one service, which can be spoilt.
#[derive(Clone)]
struct Start {
    service: &'static str,
    pairs: BTreeMap<&'static str, String>,
}

impl Start {
    /// In production, with the identity of a set; its database and its bus are nowhere.
    fn of(service: &'static str, pki: &Path) -> Self {
        let file = |name: String| pki.join(name).to_str().unwrap().to_owned();
        let pairs = [
            ("SHOPAPI_TLS_DIR", file(service.to_owned())),
            ("SHOPAPI_SERVICE_KEY", file(format!("{service}/jwt.key"))),
            ("SHOPAPI_SERVICE_PUBLIC_KEYS", file("jwt-public".to_owned())),
            (
                "SHOPAPI_DATABASE_URL",
                format!("postgres://{service}:{SECRET}@127.0.0.1:1/{service}db"),
            ),
            ("SHOPAPI_NATS_URL", "nats://127.0.0.1:1".to_owned()),
            ("SHOPAPI_ORDERS_URL", "https://127.0.0.1:1".to_owned()),
            ("SHOPAPI_INVENTORY_URL", "https://127.0.0.1:1".to_owned()),
            ("SHOPAPI_PAYMENTS_URL", "https://127.0.0.1:1".to_owned()),
            ("SHOPAPI_GRPC_ADDR", "127.0.0.1:0".to_owned()),
            ("SHOPAPI_HEALTH_ADDR", "127.0.0.1:0".to_owned()),
            ("SHOPAPI_HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("SHOPAPI_USER_JWT_SECRET", SECRET.to_owned()),
        ];
        Self {
            service,
            pairs: pairs.into(),
        }
    }

    fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.pairs.insert(key, value.into());
        self
    }

    fn without(mut self, key: &'static str) -> Self {
        self.pairs.remove(key);
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shopapi"));
        command
            .arg(self.service)
            .env_clear()
            .envs(&self.pairs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Refused with exit code 2 and all of these words.
    async fn is_refused(&self, words: &[&str]) {
        let output = timeout(PATIENCE, self.command().output())
            .await
            .expect("it started")
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        for word in words {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
        assert!(!said.contains(SECRET), "a secret was said: {said}");
    }

    /// Comes up.
    async fn starts(&self) {
        let mut child = self.command().spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let up = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(" is up") {
                    return true;
                }
                said.push(line);
            }
            false
        });
        assert!(up.await.expect("neither up nor ended"), "{said:#?}");
    }
}

#[tokio::test]
async fn secrets_that_anybody_can_guess_are_refused_in_production() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path()).unwrap();
    let good = Start::of("gateway", dir.path());
    for (secret, why) in [
        ("changeme-changeme-changeme-changeme", "sample"),
        ("a-very-secret-signing-key-of-ours", "sample"),
        ("0123456789abcdef0123456789abcdef", "sample"),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "repeats itself"),
        ("f7a9-f7a9-f7a9-f7a9-f7a9-f7a9-f7a9-", "repeats itself"),
        ("short", "32"),
    ] {
        for key in [
            "SHOPAPI_USER_JWT_SECRET",
            "SHOPAPI_USER_JWT_SECRET_PREVIOUS",
        ] {
            good.clone().with(key, secret).is_refused(&[key, why]).await;
        }
    }
    good.clone()
        .with(
            "SHOPAPI_DATABASE_URL",
            "postgres://gateway:changeme@db/gatewaydb",
        )
        .is_refused(&["SHOPAPI_DATABASE_URL", "sample"])
        .await;
    // Development may write its secrets down.
    good.clone()
        .with("SHOPAPI_MODE", "dev")
        .with(
            "SHOPAPI_USER_JWT_SECRET",
            "changeme-changeme-changeme-changeme",
        )
        .starts()
        .await;
    good.starts().await;
}

#[tokio::test]
async fn keys_and_certificates_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let good = Start::of("orders", &path("good"));
    Pki::load_or_create(&path("good")).unwrap();

    Pki::load_or_create(&path("mixed")).unwrap();
    std::fs::copy(path("mixed/payments/tls.key"), path("mixed/orders/tls.key")).unwrap();
    let mixed = path("mixed/orders");
    let mixed = mixed.to_str().unwrap();
    let spoilt = good.clone().with("SHOPAPI_TLS_DIR", mixed);
    spoilt
        .is_refused(&["SHOPAPI_TLS_DIR", "is not the key of", mixed])
        .await;

    std::fs::remove_file(path("mixed/orders/tls.key")).unwrap();
    spoilt
        .is_refused(&["SHOPAPI_TLS_DIR", "tls.key", mixed])
        .await;

    Pki::with_life(&path("expired"), Duration::ZERO).unwrap();
    let second = Duration::from_secs(1);
    let made = SystemTime::now();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    while made.elapsed().unwrap() <= second {
        tick.tick().await;
    }
    let expired = path("expired/orders");
    let spoilt = good
        .clone()
        .with("SHOPAPI_TLS_DIR", expired.to_str().unwrap());
    spoilt.is_refused(&["SHOPAPI_TLS_DIR", "has expired"]).await;

    let anothers = path("good/payments");
    let spoilt = good
        .clone()
        .with("SHOPAPI_TLS_DIR", anothers.to_str().unwrap());
    spoilt.is_refused(&["SHOPAPI_TLS_DIR", "payments"]).await;

    let nowhere = path("nowhere.key");
    let spoilt = good.with("SHOPAPI_SERVICE_KEY", nowhere.to_str().unwrap());
    spoilt
        .is_refused(&["SHOPAPI_SERVICE_KEY", "nowhere.key"])
        .await;
}

#[tokio::test]
async fn a_database_in_the_clear_is_for_development_and_its_ca_has_to_be_there() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path()).unwrap();
    let good = Start::of("orders", dir.path());
    let plain = format!("postgres://orders:{SECRET}@db/ordersdb?sslmode=disable");
    good.clone()
        .with("SHOPAPI_DATABASE_URL", &plain)
        .is_refused(&["SHOPAPI_DATABASE_URL", "plaintext"])
        .await;
    good.clone()
        .with("SHOPAPI_DATABASE_CA", "/nowhere/ca.crt")
        .is_refused(&["SHOPAPI_DATABASE_CA", "/nowhere/ca.crt"])
        .await;
    good.clone()
        .with("SHOPAPI_NATS_CA", "/nowhere/ca.crt")
        .is_refused(&["SHOPAPI_NATS_CA", "/nowhere/ca.crt"])
        .await;
}

#[tokio::test]
async fn a_value_comes_from_a_file_or_from_its_variable_and_not_from_both() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path()).unwrap();
    let file = dir.path().join("user-jwt");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let file = file.to_str().unwrap();
    let good = Start::of("gateway", dir.path());
    good.clone()
        .with("SHOPAPI_USER_JWT_SECRET_FILE", file)
        .is_refused(&["SHOPAPI_USER_JWT_SECRET_FILE", "remove one"])
        .await;
    let good = good.without("SHOPAPI_USER_JWT_SECRET");
    good.clone()
        .with("SHOPAPI_USER_JWT_SECRET_FILE", "/nowhere/secret")
        .is_refused(&["SHOPAPI_USER_JWT_SECRET_FILE", "/nowhere/secret"])
        .await;
    good.with("SHOPAPI_USER_JWT_SECRET_FILE", file)
        .starts()
        .await;
}

#[tokio::test]
async fn a_database_that_may_forget_is_refused_unless_development_asks_for_it() {
    // Tests run without fsync.
    let stack = TestStack::migrated().await.unwrap();
    let careless = Start::of("inventory", stack.pki().dir())
        .with("SHOPAPI_DATABASE_URL", stack.url("inventory"));
    careless.is_refused(&["fsync=off", "inventorydb"]).await;
    let development = careless.clone().with("SHOPAPI_MODE", "dev");
    development.is_refused(&["fsync=off"]).await;
    careless
        .with("SHOPAPI_ALLOW_UNSAFE_DURABILITY", "yes")
        .is_refused(&["SHOPAPI_ALLOW_UNSAFE_DURABILITY", "dev only"])
        .await;
    development
        .with("SHOPAPI_ALLOW_UNSAFE_DURABILITY", "yes")
        .starts()
        .await;
}
