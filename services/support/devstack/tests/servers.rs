//! The servers as a person meets them: first start, second start, killed, port taken, parent killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::net::TcpListener;
use std::path::Path;

use devstack::{
    AUDIT_ROLE, Cluster, ClusterConfig, DatabaseSpec, Durability, Error, Migrate, Nats, Pki,
    PortLease, Secrets, Signal, Silent, StateDir, TestStack, ToolOptions, Tools, lease,
    workspace_root,
};
use shopapi_postgres::PgConfig;

/// One table per database, readable as the real migrations make theirs.
struct OneTable;

impl Migrate for OneTable {
    async fn migrate(&self, database: &DatabaseSpec, url: &str) -> Result<(), String> {
        let config = PgConfig::parse(url, "servers-test").map_err(|error| error.to_string())?;
        let client = shopapi_postgres::connect(&config)
            .await
            .map_err(|error| error.to_string())?;
        let runtime = database.runtime;
        client
            .batch_execute(&format!(
                "CREATE TABLE things (id bigint PRIMARY KEY);
                 CREATE TABLE secret_things (id bigint PRIMARY KEY);
                 GRANT SELECT, INSERT ON things TO {runtime};
                 GRANT SELECT ON things, secret_things TO {AUDIT_ROLE};"
            ))
            .await
            .map_err(|error| error.to_string())
    }
}

async fn test_stack() -> TestStack {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    TestStack::start(&migrations, &OneTable).await.unwrap()
}

async fn tools() -> (std::path::PathBuf, Tools) {
    let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
    let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
        .await
        .unwrap();
    (StateDir::scratch(&home).unwrap(), tools)
}

async fn empty_cluster(state: &StateDir, tools: &Tools, port: &PortLease) -> Cluster {
    let config = ClusterConfig {
        bin: tools.pg_bin.clone(),
        dir: state.postgres(),
        port: port.port(),
        durability: Durability::Off,
        connections_max: 20,
        log: state.log("postgres"),
        pki: Pki::load_or_create(&state.pki()).unwrap(),
    };
    Cluster::open(config, Secrets::load_or_create(&state.secrets()).unwrap())
        .await
        .unwrap()
}

async fn insert(stack: &TestStack, id: i64) {
    let client = stack.cluster.connect("orders", "ordersdb").await.unwrap();
    client
        .execute("INSERT INTO things VALUES ($1)", &[&id])
        .await
        .unwrap();
}

async fn count(stack: &TestStack) -> i64 {
    let client = stack.cluster.connect(AUDIT_ROLE, "ordersdb").await.unwrap();
    client
        .query_one("SELECT count(*) FROM things", &[])
        .await
        .unwrap()
        .get(0)
}

fn sqlstate(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", |code| code.code())
}

#[tokio::test]
async fn committed_rows_survive_a_stop_and_a_kill() {
    let mut stack = test_stack().await;
    insert(&stack, 1).await;
    stack.cluster.restart().await.unwrap();
    insert(&stack, 2).await;
    stack.cluster.kill().await.unwrap();
    assert!(!stack.cluster.is_running());
    stack.cluster.start().await.unwrap();
    assert_eq!(count(&stack).await, 2);
}

#[tokio::test]
async fn a_role_may_do_what_it_was_granted_in_its_own_database_and_nothing_else() {
    let stack = test_stack().await;
    insert(&stack, 1).await;
    let orders = stack.cluster.connect("orders", "ordersdb").await.unwrap();
    let audit = stack.cluster.connect(AUDIT_ROLE, "ordersdb").await.unwrap();

    let hidden = orders
        .query("SELECT * FROM secret_things", &[])
        .await
        .unwrap_err();
    assert_eq!(sqlstate(&hidden), "42501");
    let ddl = orders
        .batch_execute("CREATE TABLE mine ()")
        .await
        .unwrap_err();
    assert_eq!(sqlstate(&ddl), "42501");
    let elsewhere = stack
        .cluster
        .connect("orders", "paymentsdb")
        .await
        .unwrap_err();
    assert!(elsewhere.to_string().contains("42501"), "{elsewhere}");
    let written = audit
        .batch_execute("INSERT INTO things VALUES (9)")
        .await
        .unwrap_err();
    assert_eq!(
        sqlstate(&written),
        "25006",
        "the audit role must be read-only"
    );
}

#[tokio::test]
async fn a_stuck_statement_is_ended_by_the_server() {
    let stack = test_stack().await;
    let orders = stack.cluster.connect("orders", "ordersdb").await.unwrap();
    for (setting, least) in [
        ("statement_timeout", "10s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "5s"),
    ] {
        let value: String = orders
            .query_one(&format!("SHOW {setting}"), &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(value, least, "{setting}");
    }
}

#[tokio::test]
async fn tests_side_by_side_do_not_see_each_other() {
    let (one, other) = tokio::join!(test_stack(), test_stack());
    insert(&one, 1).await;
    assert_eq!(count(&one).await, 1);
    assert_eq!(count(&other).await, 0);
}

#[tokio::test]
async fn a_pid_file_left_by_another_program_is_no_obstacle() {
    let (home, tools) = tools().await;
    let state = StateDir::temporary(&home, "run-").unwrap();
    let port = lease().unwrap();
    let mut cluster = empty_cluster(&state, &tools, &port).await;
    let pid_file = state.postgres().join("data/postmaster.pid");
    std::fs::write(&pid_file, format!("{}\nstale\n", std::process::id())).unwrap();
    cluster.start().await.unwrap();
    cluster.provision().await.unwrap();
    cluster
        .provision()
        .await
        .expect("a second start provisions again");
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_starts() {
    let (home, tools) = tools().await;
    let state = StateDir::temporary(&home, "run-").unwrap();
    let port = lease().unwrap();
    let _held = TcpListener::bind(port.addr()).unwrap();
    let mut cluster = empty_cluster(&state, &tools, &port).await;
    let error = cluster.start().await.unwrap_err();
    assert!(matches!(error, Error::PortInUse { .. }), "{error}");
    assert!(
        error.to_string().contains(&port.port().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn lost_passwords_are_explained() {
    let (home, tools) = tools().await;
    let state = StateDir::temporary(&home, "run-").unwrap();
    let port = lease().unwrap();
    let mut cluster = empty_cluster(&state, &tools, &port).await;
    cluster.start().await.unwrap();
    cluster.stop().await.unwrap();
    std::fs::remove_file(state.secrets()).unwrap();
    let mut cluster = empty_cluster(&state, &tools, &port).await;
    cluster.start().await.unwrap();
    let error = cluster.provision().await.unwrap_err();
    assert!(matches!(error, Error::SecretsMismatch { .. }), "{error}");
}

#[tokio::test]
async fn nats_comes_back_after_a_kill_and_empty_after_a_wipe() {
    let mut stack = test_stack().await;
    let first = stack.nats.pid();
    stack.nats.kill().await.unwrap();
    stack.nats.start().await.unwrap();
    assert_ne!(stack.nats.pid(), first);

    let marker = stack.dir().join("nats/jetstream/marker");
    std::fs::write(&marker, "").unwrap();
    stack.nats.wipe().await.unwrap();
    assert!(!marker.exists());
    assert!(stack.nats.is_running());
}

#[tokio::test]
async fn a_nats_port_held_by_another_program_is_named() {
    let (home, tools) = tools().await;
    let state = StateDir::temporary(&home, "run-").unwrap();
    let port = lease().unwrap();
    let _held = TcpListener::bind(port.addr()).unwrap();
    let mut nats = Nats::new(
        tools.nats_server,
        state.nats(),
        port.port(),
        None,
        state.log("nats"),
    );
    let error = nats.start().await.unwrap_err();
    assert!(matches!(error, Error::PortInUse { .. }), "{error}");
    assert!(matches!(
        nats.signal(Signal::Stop),
        Err(Error::NotRunning { .. })
    ));
}

/// The child half of `servers_die_with_a_killed_parent`: starts servers, says so, and waits to be killed.
#[tokio::test]
#[ignore = "run by servers_die_with_a_killed_parent"]
#[expect(
    clippy::disallowed_macros,
    reason = "the other half reads it from the standard output"
)]
async fn parent_that_gets_killed() {
    let stack = test_stack().await;
    println!(
        "pids {} {}",
        stack.cluster.pid().unwrap(),
        stack.nats.pid().unwrap()
    );
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn servers_die_with_a_killed_parent() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "parent_that_gets_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pids: Vec<String> = loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("the parent prints its servers");
        if let Some((_, pids)) = line.split_once("pids ") {
            break pids.split(' ').map(str::to_owned).collect();
        }
    };
    parent.kill().await.unwrap();

    let all_gone = async {
        for pid in pids {
            while std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
            {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(15), all_gone)
        .await
        .unwrap();
}
