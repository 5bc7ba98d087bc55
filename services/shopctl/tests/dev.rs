//! `shopctl dev` as a person uses it, with a stand-in for the services: up, stopped, up again on old data, killed,
//! a port taken, wiped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use devstack::{Silent, StateDir, ToolOptions, Tools, ensure_free, lease, workspace_root};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Migrates with psql, answers `/readyz`, and ends at once on SIGTERM.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import http.server, os, signal, subprocess, sys
if sys.argv[1] == "migrate":
    url = os.environ["SHOPAPI_MIGRATE_INVENTORY_URL"]
    psql = ["PSQL", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", url]
    known = subprocess.run(psql + ["-tAc", "select to_regclass('products')"], check=True, capture_output=True)
    if not known.stdout.strip():
        subprocess.run(psql + ["--file", "MIGRATIONS/inventory/V0001__stock.sql"], check=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
host, port = (os.environ.get("SHOPAPI_HEALTH_ADDR") or os.environ["SHOPAPI_HTTP_ADDR"]).split(":")
http.server.ThreadingHTTPServer((host, int(port)), Ready).serve_forever()
"#;

struct Scene {
    tools: Tools,
    home: tempfile::TempDir,
    shopapi: std::path::PathBuf,
    port_base: u16,
}

impl Scene {
    async fn new() -> Self {
        let dev = StateDir::home(&workspace_root().join(".dev")).unwrap();
        let tools = Tools::find_or_install(&dev, ToolOptions::from_env(), &Silent)
            .await
            .unwrap();
        let home = tempfile::tempdir().unwrap();
        // PostgreSQL's account has to reach its files below it when the tests run as root.
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let shopapi = home.path().join("shopapi");
        let script = STAND_IN
            .replace("PSQL", &tools.pg("psql").display().to_string())
            .replace(
                "MIGRATIONS",
                &workspace_root().join("migrations").display().to_string(),
            );
        std::fs::write(&shopapi, script).unwrap();
        std::fs::set_permissions(&shopapi, std::fs::Permissions::from_mode(0o755)).unwrap();
        // A block of ports below those that other tests lease.
        let port_base = 10_000 + (lease().unwrap().port() - 20_000) / 104 * 104;
        Self {
            tools,
            home,
            shopapi,
            port_base,
        }
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shopctl"));
        command
            .arg(subcommand)
            .env("SHOPCTL_HOME", self.home.path())
            .env("SHOPCTL_SHOPAPI", &self.shopapi)
            .env("DEVSTACK_PG_BIN", &self.tools.pg_bin)
            .env("DEVSTACK_NATS_SERVER", &self.tools.nats_server)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if subcommand == "dev" {
            command.arg("--port-base").arg(self.port_base.to_string());
        }
        command
    }

    async fn run(&self, subcommand: &str) -> Output {
        self.command(subcommand).output().await.unwrap()
    }

    /// Starts `shopctl dev` and waits until it says that it is up.
    async fn up(&self) -> Child {
        self.up_with(&[]).await
    }

    async fn up_with(&self, args: &[&str]) -> Child {
        let mut child = self.command("dev").args(args).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            match lines.next_line().await.unwrap() {
                Some(line) if line.contains("shopapi is up") => break,
                Some(_) => {}
                None => panic!("dev ended: {:?}", child.wait_with_output().await),
            }
        }
        // What it says later must not block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        child
    }

    /// What listens: the stand-in serves no gRPC.
    fn ports(&self) -> [u16; 7] {
        [0, 101, 102, 103, 22, 23, 32].map(|offset| self.port_base + offset)
    }

    fn listening(&self) -> Vec<u16> {
        self.ports()
            .into_iter()
            .filter(|port| ensure_free(*port, "", "").is_err())
            .collect()
    }
}

fn terminate(child: &Child) {
    let pid = child.id().unwrap().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .unwrap();
    assert!(killed.success());
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn dev_starts_stops_starts_again_and_leaves_nothing_behind_when_killed() {
    let scene = Scene::new().await;

    let mut dev = scene.up().await;
    assert_eq!(scene.listening(), scene.ports());
    let second = scene.run("dev").await;
    assert!(!second.status.success());
    assert!(
        said(&second).contains("another stack already runs on"),
        "{}",
        said(&second)
    );
    let reset = scene.run("dev-reset").await;
    assert!(!reset.status.success());
    assert!(said(&reset).contains("stop it first"), "{}", said(&reset));
    terminate(&dev);
    assert!(dev.wait().await.unwrap().success());
    assert_eq!(
        scene.listening(),
        [0_u16; 0],
        "everything is stopped when dev ends"
    );

    let mut dev = scene.up().await;
    dev.kill().await.unwrap();
    let all_gone = async {
        while !scene.listening().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_gone)
        .await
        .expect("children died with dev");

    let mut dev = scene.up().await;
    terminate(&dev);
    assert!(dev.wait().await.unwrap().success());

    let held = TcpListener::bind(("127.0.0.1", scene.port_base + 2)).unwrap();
    let refused = scene.run("dev").await;
    assert!(!refused.status.success());
    let text = said(&refused);
    assert!(
        text.contains(&format!(
            "port {} (gRPC of inventory) is in use",
            scene.port_base + 2
        )),
        "{text}"
    );
    assert!(text.contains("--port-base"), "{text}");
    drop(held);

    let data = scene.home.path().join("stack/postgres");
    assert!(data.is_dir());
    assert!(scene.run("dev-reset").await.status.success());
    assert!(!data.exists());
}

#[tokio::test]
async fn dev_runs_as_many_replicas_as_it_is_told() {
    let scene = Scene::new().await;
    let mut dev = scene.up_with(&["--replicas", "2"]).await;
    let second = [141, 142, 143].map(|offset| scene.port_base + offset);
    let free = |port: &u16| ensure_free(*port, "", "").is_ok();
    assert_eq!(scene.listening(), scene.ports());
    assert!(!second.iter().any(free), "health of the second replicas");
    terminate(&dev);
    assert!(dev.wait().await.unwrap().success());
    assert!(second.iter().all(free));

    let mut too_many = scene.command("dev");
    let refused = too_many.args(["--replicas", "6"]).output().await.unwrap();
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("--replicas 6: from 1 to 5"),
        "{}",
        said(&refused)
    );
}

#[tokio::test]
async fn a_port_base_too_high_is_refused_with_its_reason() {
    let refused = Command::new(env!("CARGO_BIN_EXE_shopctl"))
        .args(["dev", "--port-base", "65500", "--home"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")))
        .env("SHOPCTL_SHOPAPI", "/bin/true")
        .env("DEVSTACK_PG_BIN", "/nowhere")
        .output()
        .await
        .unwrap();
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("does not end below 65536"),
        "{}",
        said(&refused)
    );
}
