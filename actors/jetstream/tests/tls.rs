//! The bus over TLS: who we are is in the certificate, and a replaced one needs no restart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::time::Duration;

use devstack::{Nats, Pki, Silent, StateDir, ToolOptions, Tools, lease, workspace_root};
use jetstream::{BusOptions, BusState, Connection};
use tokio::time::timeout;

/// Far above what a restart of the server takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for several attempts to connect.
const REFUSED_FOR: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_connection_follows_its_certificate_and_authority_without_a_restart() {
    let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
    let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
        .await
        .unwrap();
    let state = StateDir::temporary(&home.join("test"), "run-").unwrap();
    let port = lease().unwrap();
    let pki = Pki::load_or_create(&state.pki()).unwrap();
    let mut nats = Nats::new(
        tools.nats_server,
        state.nats(),
        port.port(),
        None,
        state.log("nats"),
    )
    .secured(&pki);
    nats.start().await.unwrap();
    let open = async |name: &str| {
        let identity = pki.identity(name).unwrap();
        let options =
            BusOptions::new(nats_url(port.port()), name).secured(identity.client_config(&[]), name);
        (Connection::open(&options).await.unwrap(), identity)
    };
    let (follows, identity) = open("orders").await;
    let (stays, _old_identity) = open("orders").await;
    timeout(PATIENCE, follows.connected())
        .await
        .expect("not connected");
    timeout(PATIENCE, stays.connected())
        .await
        .expect("not connected");

    pki.start_ca_rotation().unwrap();
    pki.renew_leaves().unwrap();
    pki.finish_ca_rotation().unwrap();
    let _ = identity.look();
    nats.stop().await.unwrap();
    while follows.state() == BusState::Connected {
        tokio::task::yield_now().await;
    }
    nats.start().await.unwrap();

    timeout(PATIENCE, follows.connected())
        .await
        .expect("not connected again");
    // One that kept the old authority believes the server no more, and is not believed: the rotation had an effect.
    let back = timeout(REFUSED_FOR, async {
        while stays.state() == BusState::Connected {
            tokio::task::yield_now().await;
        }
        stays.connected().await;
    });
    assert!(back.await.is_err(), "the old authority was believed");
}

#[tokio::test]
async fn somebody_who_is_not_on_the_list_does_not_get_in() {
    let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
    let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
        .await
        .unwrap();
    let state = StateDir::temporary(&home.join("test"), "run-").unwrap();
    let port = lease().unwrap();
    let pki = Pki::load_or_create(&state.pki()).unwrap();
    let mut nats = Nats::new(
        tools.nats_server,
        state.nats(),
        port.port(),
        None,
        state.log("nats"),
    )
    .secured(&pki);
    nats.start().await.unwrap();
    for (name, is_let_in) in [("inventory", false), ("payments", true)] {
        let identity = pki.identity(name).unwrap();
        let options =
            BusOptions::new(nats_url(port.port()), name).secured(identity.client_config(&[]), name);
        let connection = Connection::open(&options).await.unwrap();
        let patience = if is_let_in { PATIENCE } else { REFUSED_FOR };
        let connected = timeout(patience, connection.connected()).await;
        assert_eq!(connected.is_ok(), is_let_in, "{name}");
    }
}

fn nats_url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}
