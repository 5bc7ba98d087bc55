//! A whole stack with a stand-in for the services: a script that answers `/readyz` and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use devstack::{
    Durability, Error, PortLease, PortMap, Progress, Restart, SERVICES, Signal, Silent, Stack,
    StackOptions, StateDir, ToolOptions, Tools, get_status, workspace_root,
};

/// Answers every request with 200, as a service that is ready does, and ends at once on SIGTERM.
const READY_SERVICE: &str = r#"#!/usr/bin/env python3
import http.server, os, signal, sys
if sys.argv[1] == "migrate":
    sys.exit(0)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Ready(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
print(sys.argv[1], "listens", flush=True)
host, port = (os.environ.get("SHOPAPI_HEALTH_ADDR") or os.environ["SHOPAPI_HTTP_ADDR"]).split(":")
http.server.ThreadingHTTPServer((host, int(port)), Ready).serve_forever()
"#;

struct Scene {
    home: PathBuf,
    state: StateDir,
    options: StackOptions,
    _ports: Vec<PortLease>,
    _scripts: tempfile::TempDir,
}

async fn scene(script: &str) -> Scene {
    let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
    let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
        .await
        .unwrap();
    let (ports, leases) = PortMap::leased().unwrap();
    let scripts = tempfile::tempdir().unwrap();
    let shopapi = scripts.path().join("shopapi");
    std::fs::write(&shopapi, script).unwrap();
    std::fs::set_permissions(&shopapi, std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = StackOptions {
        tools,
        shopapi,
        ports,
        durability: Durability::Off,
        restart: Restart::Always,
        console: None,
        env: Vec::new(),
    };
    let state = StateDir::temporary(&home, "run-").unwrap();
    Scene {
        home,
        state,
        options,
        _ports: leases,
        _scripts: scripts,
    }
}

fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_stack_starts_survives_deaths_and_leaves_nothing_behind() {
    let scene = scene(READY_SERVICE).await;
    let mut stack = Stack::start(scene.state, scene.options, &Silent)
        .await
        .unwrap();
    for name in SERVICES {
        let health = stack.service(name).unwrap().health();
        assert_eq!(get_status(health, "/readyz").await, Some(200), "{name}");
    }

    stack
        .service("orders")
        .unwrap()
        .signal(Signal::Kill)
        .await
        .unwrap();
    stack.service("orders").unwrap().started(2).await;
    stack.cluster.kill().await.unwrap();
    stack.nats.kill().await.unwrap();
    assert_eq!(stack.heal().await.unwrap(), ["PostgreSQL", "NATS"]);
    assert!(stack.heal().await.unwrap().is_empty());
    stack.all_ready().await.unwrap();

    let pids: Vec<u32> = stack
        .services()
        .iter()
        .map(devstack::Service::pid)
        .chain([stack.cluster.pid(), stack.nats.pid()])
        .map(Option::unwrap)
        .collect();
    assert_eq!(pids.len(), 6);
    let dir = stack.dir().to_owned();
    stack.stop(&Silent).await.unwrap();
    assert_eq!(pids.iter().filter(|pid| alive(**pid)).count(), 0);
    drop(stack);
    assert!(!dir.exists());
    assert!(scene.home.exists());
}

#[tokio::test]
async fn the_steps_of_a_start_are_told_in_order() {
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);
    impl Progress for Told {
        fn step(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
    let scene = scene(READY_SERVICE).await;
    let told = Told::default();
    let mut stack = Stack::start(scene.state, scene.options, &told)
        .await
        .unwrap();
    stack.stop(&told).await.unwrap();
    let told = told.0.lock().unwrap().join(", ");
    assert_eq!(
        told,
        "starting PostgreSQL, starting NATS, migrating the databases, \
         starting inventory, starting payments, starting orders, starting gateway, \
         waiting for inventory, waiting for payments, waiting for orders, waiting for gateway, \
         stopping gateway, stopping orders, stopping payments, stopping inventory, \
         stopping NATS and PostgreSQL"
    );
}

#[tokio::test]
async fn a_taken_port_stops_the_start_before_anything_runs() {
    let scene = scene(READY_SERVICE).await;
    let port = scene.options.ports.grpc[2];
    let _held = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let postgres = scene.state.postgres();
    let error = Stack::start(scene.state, scene.options, &Silent)
        .await
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&format!("port {port} (gRPC of payments) is in use")),
        "{text}"
    );
    assert!(
        !postgres.exists(),
        "nothing may be made before all ports are known to be free"
    );
}

#[tokio::test]
async fn a_failing_migration_is_shown_with_what_it_said() {
    let scene = scene("#!/bin/sh\necho 'ordersdb: relation exists' >&2; exit 1\n").await;
    let error = Stack::start(scene.state, scene.options, &Silent)
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Command { .. }), "{error}");
    assert!(
        error.to_string().contains("ordersdb: relation exists"),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_that_cannot_start_is_shown_with_its_log() {
    let script = "#!/bin/sh\n[ $1 = migrate ] && exit 0\necho \"SHOPAPI_X is not known\"; exit 2\n";
    let scene = scene(script).await;
    let error = Stack::start(scene.state, scene.options, &Silent)
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Ended { .. }), "{error}");
    assert!(
        error.to_string().contains("SHOPAPI_X is not known"),
        "{error}"
    );
}

#[tokio::test]
async fn the_services_lines_reach_the_console_and_the_log() {
    let mut scene = scene(READY_SERVICE).await;
    let shown = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&shown);
    scene.options.console = Some(Arc::new(move |name: &str, line: &str| {
        sink.lock().unwrap().push(format!("{name}: {line}"));
    }));
    let mut stack = Stack::start(scene.state, scene.options, &Silent)
        .await
        .unwrap();
    let log = std::fs::read_to_string(stack.service("payments").unwrap().log()).unwrap();
    assert_eq!(log, "payments listens\n");
    assert!(
        shown
            .lock()
            .unwrap()
            .contains(&"payments: payments listens".to_owned())
    );
    stack.stop(&Silent).await.unwrap();
}
