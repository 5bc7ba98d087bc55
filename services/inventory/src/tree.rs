//! ```text
//! inventory (one_for_one, 5 crashes / 60 s, then the process exits non-zero)
//! ├── health       /livez and /readyz
//! ├── stock-keeper group-commit writer: reserve, release, commit; own connection
//! ├── maintenance  forgets old refusals and tombstones, own connection
//! └── grpc         adapter; started last, stopped first
//! ```
//!
//! The only place that spawns. `health` comes first and goes last, so that probes are answered while the others start and stop.

use std::time::Duration;

use actor_kit::Mailbox;
use actor_kit::tree::{ChildSpec, Tree, TreeWindow};
use shopapi_health::Readiness;
use stock::{KeeperMsg, keeper};

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::grpc::{self, Api};
use crate::maintenance::Maintenance;
use crate::service::Port;
use crate::store::SqlStockStore;
use crate::telemetry::Counters;

/// What the tree is made of beside its configuration.
pub(crate) struct Parts {
    pub(crate) readiness: Readiness,
    pub(crate) catalogue: Catalogue,
    pub(crate) grpc: Port,
    pub(crate) health: Port,
}

/// The tree of the service, not yet started.
pub(crate) fn tree(config: &Config, parts: Parts) -> Tree {
    let Parts {
        readiness,
        catalogue,
        grpc,
        health,
    } = parts;
    let limits = config.limits.clone();
    let trust = config.trust.clone();
    let stock_keeper: Mailbox<KeeperMsg> = Mailbox::new("stock-keeper", limits.keeper_capacity);
    let api = Api::new(
        stock_keeper.clone(),
        catalogue,
        Counters::new(),
        limits.clone(),
    );

    let keeper_database = config.database.named("inventory-stock-keeper");
    let pruner_database = config.database.named("inventory-maintenance");
    // Nobody but itself sends to it.
    let maintenance = Mailbox::new("maintenance", 1);

    let window = TreeWindow::default();

    Tree::new("inventory")
        .seen_through(&window)
        .intensity(5, Duration::from_secs(60))
        .child(ChildSpec::task(
            "health",
            "/livez and /readyz",
            move |stop| {
                let (port, readiness) = (health.clone(), readiness.clone());
                async move {
                    shopapi_health::serve(port.listener()?, readiness, stop.cancelled_owned())
                        .await;
                    Ok(())
                }
            },
        ))
        .child(ChildSpec::new(
            "stock-keeper",
            "group-commit writer: reserve, release, commit; own connection",
            &stock_keeper,
            move || keeper(SqlStockStore::new(&keeper_database)),
        ))
        .child(ChildSpec::new(
            "maintenance",
            "forgets old refusals and tombstones, own connection",
            &maintenance,
            move || Maintenance::new(&pruner_database, &limits),
        ))
        .child(ChildSpec::task(
            "grpc",
            "adapter; started last, stopped first",
            move |stop| {
                let window = window.clone();
                let (port, api, trust) = (grpc.clone(), api.clone(), trust.clone());
                async move { grpc::serve(port.listener()?, api, trust, window, stop).await }
            },
        ))
}
