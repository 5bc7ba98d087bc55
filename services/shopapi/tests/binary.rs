//! The binary as a platform meets it: exit codes, signals, and what it says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use devstack::TestStack;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Far above what a start or a stop takes, far below a test runner's patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary with nothing in its environment but `pairs`.
fn shopapi(command: &str, pairs: &[(&str, &str)]) -> Command {
    let mut shopapi = Command::new(env!("CARGO_BIN_EXE_shopapi"));
    shopapi
        .arg(command)
        .env_clear()
        .envs(pairs.iter().copied())
        .kill_on_drop(true);
    shopapi
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    shopapi
}

/// Runs to the end; the exit code and what was said on stderr.
async fn outcome(command: &str, pairs: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = timeout(PATIENCE, shopapi(command, pairs).output())
        .await
        .expect("no end")
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Everybody's keys and certificates.
static SET: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    devstack::Pki::load_or_create(dir.path()).unwrap();
    dir
});

fn gateway_at(addr: &str) -> Vec<(&str, &str)> {
    let file =
        |name: &str| -> &'static str { SET.path().join(name).to_str().unwrap().to_owned().leak() };
    vec![
        ("SHOPAPI_HTTP_ADDR", addr),
        ("SHOPAPI_GRPC_ADDR", "127.0.0.1:0"),
        ("SHOPAPI_TLS_DIR", file("gateway")),
        ("SHOPAPI_SERVICE_KEY", file("gateway/jwt.key")),
        ("SHOPAPI_SERVICE_PUBLIC_KEYS", file("jwt-public")),
        (
            "SHOPAPI_DATABASE_URL",
            "postgres://gateway:none@127.0.0.1:1/gatewaydb",
        ),
        ("SHOPAPI_ORDERS_URL", "https://127.0.0.1:1"),
        ("SHOPAPI_INVENTORY_URL", "https://127.0.0.1:1"),
        (
            "SHOPAPI_USER_JWT_SECRET",
            "b7f3a9d05c1e48826f0d9e3ba4c57186",
        ),
        ("SHOPAPI_LOG_FORMAT", "json"),
    ]
}

/// A gateway that is up on a database, and where it listens.
async fn gateway(database: &str) -> (Child, String) {
    gateway_with(database, &[]).await
}

async fn gateway_with(database: &str, more: &[(&'static str, &str)]) -> (Child, String) {
    let mut pairs = gateway_at("127.0.0.1:0");
    pairs.retain(|(name, _)| *name != "SHOPAPI_DATABASE_URL");
    pairs.extend([
        ("SHOPAPI_DATABASE_URL", database),
        // The servers of tests forget what a power cut takes.
        ("SHOPAPI_MODE", "dev"),
        ("SHOPAPI_ALLOW_UNSAFE_DURABILITY", "yes"),
    ]);
    pairs.extend(more);
    let mut child = shopapi("gateway", &pairs).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let up = timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("gateway is up") {
                return line;
            }
        }
        panic!("the gateway ended before it was up");
    });
    let line = up.await.expect("the gateway did not come up");
    let (_, rest) = line
        .split_once("\"addr\":\"")
        .expect("no address in the log");
    let addr = rest.split('"').next().unwrap().to_owned();
    // The rest of the log must go somewhere, or the gateway would meet a closed pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, addr)
}

async fn exit_code_after(child: &mut Child, signal: Signal) -> Option<i32> {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    timeout(PATIENCE, child.wait())
        .await
        .expect("the signal was not heard")
        .unwrap()
        .code()
}

#[tokio::test]
async fn a_configuration_that_is_wrong_ends_with_2_and_every_variable() {
    let typo = [(
        "SHOPAPI_DATABSE_URL",
        "postgres://orders:hunter2000@127.0.0.1/ordersdb",
    )];
    let (code, words) = outcome("orders", &typo).await;
    assert_eq!(code, Some(2), "{words}");
    for expected in [
        "SHOPAPI_TLS_DIR is missing",
        "SHOPAPI_DATABASE_URL is missing",
        "SHOPAPI_NATS_URL is missing",
        "did you mean SHOPAPI_DATABASE_URL?",
    ] {
        assert!(words.contains(expected), "{words}");
    }
    assert!(!words.contains("hunter2000"), "{words}");
}

#[tokio::test]
async fn a_service_is_healthy_until_it_is_told_to_stop() {
    let stack = TestStack::migrated().await.unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let (mut child, addr) = gateway(&stack.url("gateway")).await;
        let here = [("SHOPAPI_HTTP_ADDR", addr.as_str())];
        let healthy = timeout(PATIENCE, async {
            while outcome("healthcheck", &here).await.0 != Some(0) {}
        });
        healthy.await.expect("it did not become healthy");

        assert_eq!(
            exit_code_after(&mut child, signal).await,
            Some(0),
            "{signal:?}"
        );

        let (code, words) = outcome("healthcheck", &here).await;
        assert_eq!(code, Some(1));
        assert!(words.contains("cannot connect"), "{words}");
    }
}

#[tokio::test]
async fn a_gateway_with_a_public_certificate_is_asked_over_tls_and_known_by_it() {
    let stack = TestStack::migrated().await.unwrap();
    let dir = |name: &str| SET.path().join(name).to_str().unwrap().to_owned();
    let (own, other) = (dir("gateway"), dir("orders"));
    let tls = ("SHOPAPI_HTTP_TLS_DIR", own.as_str());
    let (mut child, addr) = gateway_with(&stack.url("gateway"), &[tls]).await;
    let here = ("SHOPAPI_HTTP_ADDR", addr.as_str());
    let healthy = timeout(PATIENCE, async {
        while outcome("healthcheck", &[here, tls]).await.0 != Some(0) {}
    });
    healthy.await.expect("it did not become healthy");

    let stranger = ("SHOPAPI_HTTP_TLS_DIR", other.as_str());
    let (code, words) = outcome("healthcheck", &[here, stranger]).await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("SHOPAPI_HTTP_TLS_DIR"), "{words}");
    let (code, words) = outcome("healthcheck", &[here]).await;
    assert_eq!(code, Some(1), "{words}");
    assert_eq!(exit_code_after(&mut child, Signal::TERM).await, Some(0));
}

#[tokio::test]
async fn a_taken_port_ends_with_1_and_names_the_port() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (code, words) = outcome("gateway", &gateway_at(&addr)).await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&addr), "{words}");
}

#[tokio::test]
async fn a_bad_log_filter_and_an_unknown_command_are_refused() {
    let mut pairs = gateway_at("127.0.0.1:0").to_vec();
    pairs.push(("RUST_LOG", "shopapi=loud"));
    let (code, words) = outcome("gateway", &pairs).await;
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("RUST_LOG"), "{words}");
    assert_eq!(outcome("sell", &[]).await.0, Some(2));
}
