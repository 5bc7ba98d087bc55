//! Against a real PostgreSQL that speaks TLS 1.3 and nothing else: who is believed, who is let in, and what is asked of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use devstack::{
    Cluster, ClusterConfig, Durability, Pki, SUPERUSER, Secrets, Silent, StateDir, TestStack,
    ToolOptions, Tools, lease, workspace_root,
};
use shopapi_postgres::{PgConfig, Session, check_durability, connect};

fn parse(url: &str) -> PgConfig {
    PgConfig::parse(url, "tls-test").unwrap()
}

/// The text of a refusal, causes included.
async fn refusal(config: &PgConfig) -> String {
    let mut session = Session::new(config).unwrap();
    match session.client().await {
        Ok(_) => panic!("{config} was let in"),
        Err(refused) => refused.reason,
    }
}

#[tokio::test]
async fn a_connection_is_tls_1_3_and_its_password_is_bound_to_the_servers_certificate() {
    let stack = TestStack::migrated().await.unwrap();
    let url = format!("{}&channel_binding=require", stack.url("orders"));
    let client = connect(&parse(&url)).await.unwrap();
    let row = client
        .query_one(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &[],
        )
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0));
    assert_eq!(row.get::<_, String>(1), "TLSv1.3");
}

#[tokio::test]
async fn plaintext_a_foreign_authority_and_another_host_are_refused() {
    let stack = TestStack::migrated().await.unwrap();
    let url = stack.url("orders");
    let (server, _) = url.split_once('?').unwrap();

    let plain = refusal(&parse(&format!("{server}?sslmode=disable"))).await;
    assert!(plain.contains("no encryption"), "{plain}");

    let home = stack.dir().join("foreign");
    let foreign = stack.pki().foreign_ca(&home).unwrap();
    let deceived = parse(server).trusting(&foreign.ca_file()).unwrap();
    let deceived = refusal(&deceived).await;
    assert!(deceived.contains("certificate"), "{deceived}");

    // Without anybody to believe there is no connection, rather than an unverified one.
    let nobody = refusal(&parse(server)).await;
    assert!(nobody.contains("TLS"), "{nobody}");

    let port = stack.cluster.port();
    let named = |host: &str| {
        let address = format!("127.0.0.1:{port}");
        let url = url.replace(&address, &format!("{host}:{port}"));
        parse(&format!("{url}&hostaddr=127.0.0.1"))
    };
    let elsewhere = refusal(&named("orders.example")).await;
    assert!(elsewhere.contains("certificate"), "{elsewhere}");
    connect(&named("orders-db")).await.unwrap();
    connect(&parse(server).trusting(&stack.pki().ca_file()).unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_session_follows_the_authority_of_its_server() {
    let stack = TestStack::migrated().await.unwrap();
    let mut session = Session::new(&parse(&stack.url("orders"))).unwrap();
    session.client().await.unwrap();

    let pki = stack.pki();
    pki.start_ca_rotation().unwrap();
    pki.renew_leaves().unwrap();
    pki.finish_ca_rotation().unwrap();
    stack.cluster.reload_identity().unwrap();

    // The open connection goes on; a new one verifies the new certificate. The server takes a moment to read it.
    session.client().await.unwrap();
    session.discard();
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(20));
    for _ in 0..500 {
        tick.tick().await;
        if session.client().await.is_ok() {
            return;
        }
    }
    panic!("no connection after the rotation");
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused_by_name() {
    // Tests run without fsync.
    let stack = TestStack::migrated().await.unwrap();
    let careless = parse(&stack.url("orders"));
    let refused = check_durability(&careless).await.unwrap().unwrap_err();
    assert_eq!(refused.setting, "fsync");
    connect(&careless).await.unwrap();
    let reason = refusal(&careless.durable_only()).await;
    assert!(
        reason.contains("fsync or synchronous_commit is off"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_role_that_does_not_wait_for_the_disk_is_refused_and_a_durable_server_is_not() {
    let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
    let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
        .await
        .unwrap();
    let state = StateDir::temporary(&StateDir::scratch(&home).unwrap(), "run-").unwrap();
    let port = lease().unwrap();
    let config = ClusterConfig {
        bin: tools.pg_bin,
        dir: state.postgres(),
        port: port.port(),
        durability: Durability::Full,
        connections_max: 20,
        log: state.log("postgres"),
        pki: Pki::load_or_create(&state.pki()).unwrap(),
    };
    let secrets = Secrets::load_or_create(&state.secrets()).unwrap();
    let mut cluster = Cluster::open(config, secrets).await.unwrap();
    cluster.start().await.unwrap();
    let durable = parse(&cluster.url(SUPERUSER, "postgres")).durable_only();
    assert_eq!(check_durability(&durable).await.unwrap(), Ok(()));
    let client = connect(&durable).await.unwrap();

    client
        .batch_execute(&format!(
            "ALTER ROLE {SUPERUSER} SET synchronous_commit = off"
        ))
        .await
        .unwrap();

    let refused = check_durability(&durable).await.unwrap().unwrap_err();
    assert_eq!(refused.setting, "synchronous_commit");
    assert!(refusal(&durable).await.contains("synchronous_commit"));
}
