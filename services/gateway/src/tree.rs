//! The gateway's tree. The only place that spawns.
//!
//! ```text
//! gateway (one_for_one, 5 crashes / 60 s, then the process exits non-zero)
//! ├── user-keys      follows the files of the keys of users' tokens
//! ├── maintenance    seeds demo users, forgets expired logins, own connection
//! ├── orders-client  owns the gRPC channel to orders
//! ├── catalog-client owns the gRPC channel to inventory: catalogue reads
//! ├── grpc           adapter for operators: health, this tree
//! └── http           adapter; started last, stopped first
//! ```

use std::sync::Arc;
use std::time::Duration;

use actor_kit::Mailbox;
use actor_kit::tree::{ChildSpec, Tree, TreeWindow};
use axum::Router;
use shopapi_auth::UserKeys;
use shopapi_postgres::PgConfig;
use shopapi_rpc::Trust;
use shopapi_tls::ServerCertificate;
use tokio::net::TcpListener;

use crate::catalog_client::{CatalogCall, CatalogClient};
use crate::config::Limits;
use crate::maintenance::{Maintenance, Seeds};
use crate::orders_client::{OrdersCall, OrdersClient};
use crate::{grpc, http};

/// The addresses of the actors; they outlive every restart.
#[derive(Debug, Clone)]
pub(crate) struct Mailboxes {
    pub(crate) orders: Mailbox<OrdersCall>,
    pub(crate) catalog: Mailbox<CatalogCall>,
}

impl Mailboxes {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            orders: Mailbox::new("orders-client", limits.calls_max),
            catalog: Mailbox::new("catalog-client", limits.calls_max),
        }
    }
}

/// Where the callees are.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) orders: shopapi_rpc::Endpoints,
    pub(crate) inventory: shopapi_rpc::Endpoints,
}

/// What the tree is made of beside its mailboxes.
pub(crate) struct Parts {
    pub(crate) endpoints: Endpoints,
    pub(crate) trust: Trust,
    pub(crate) database: PgConfig,
    pub(crate) seeds: Seeds,
    pub(crate) user_keys: UserKeys,
    pub(crate) http_tls: Option<ServerCertificate>,
    pub(crate) router: Router,
    /// Bound before, so that a taken port is an error of the start and survives restarts of `http`.
    pub(crate) listener: TcpListener,
    /// Bound before, too.
    pub(crate) grpc: TcpListener,
    pub(crate) limits: Limits,
}

/// Declares the tree.
pub(crate) fn tree(parts: Parts, mailboxes: &Mailboxes) -> Tree {
    let Parts {
        endpoints: Endpoints { orders, inventory },
        trust,
        database,
        seeds,
        user_keys,
        http_tls,
        router,
        listener,
        grpc,
        limits,
    } = parts;
    let (listener, grpc_port) = (Arc::new(listener), Arc::new(grpc));
    let (to_orders, to_inventory) = (trust.towards("orders"), trust.towards("inventory"));
    let window = TreeWindow::default();
    let shown = window.clone();
    // Nobody but itself sends to it.
    let maintenance = Mailbox::new("maintenance", 1);
    Tree::new("gateway")
        .seen_through(&window)
        .intensity(5, Duration::from_secs(60))
        .child(ChildSpec::task(
            "user-keys",
            "follows the files of the keys of users' tokens",
            move |stop| {
                let watching = user_keys.clone().watch();
                async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = watching => {}
                    }
                    Ok(())
                }
            },
        ))
        .child(ChildSpec::new(
            "maintenance",
            "seeds demo users, forgets expired logins, own connection",
            &maintenance,
            move || Maintenance::new(&database, seeds.clone(), limits),
        ))
        .child(ChildSpec::new(
            "orders-client",
            "owns the gRPC channel to orders",
            &mailboxes.orders,
            move || OrdersClient::new(orders.clone(), to_orders.clone(), limits),
        ))
        .child(ChildSpec::new(
            "catalog-client",
            "owns the gRPC channel to inventory: catalogue reads",
            &mailboxes.catalog,
            move || {
                CatalogClient::new(
                    inventory.clone(),
                    to_inventory.clone(),
                    limits.call_deadline,
                )
            },
        ))
        .child(ChildSpec::task(
            "grpc",
            "adapter for operators: health, this tree",
            move |stop| grpc::serve(Arc::clone(&grpc_port), trust.clone(), shown.clone(), stop),
        ))
        .child(ChildSpec::task(
            "http",
            "adapter; started last, stopped first",
            move |stop| {
                http::serve(
                    Arc::clone(&listener),
                    http_tls.clone(),
                    router.clone(),
                    limits,
                    stop,
                )
            },
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tree_runs_as_it_is_drawn() {
        let limits = Limits::default();
        let nowhere = || -> shopapi_rpc::Endpoints { "https://127.0.0.1:1".parse().unwrap() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoints = Endpoints {
            orders: nowhere(),
            inventory: nowhere(),
        };

        let parts = Parts {
            endpoints,
            trust: crate::tests::Everybody::new().trust("gateway"),
            grpc: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            database: crate::tests::no_database(),
            seeds: Seeds {
                users: Vec::new(),
                passwords: shopapi_auth::PasswordPool::cheap_for_tests().unwrap(),
                done: shopapi_health::Gate::default(),
            },
            user_keys: crate::tests::user_keys(),
            http_tls: None,
            router: Router::new(),
            listener,
            limits,
        };
        let running = tree(parts, &Mailboxes::new(&limits)).start().await.unwrap();

        assert_eq!(
            running.render(),
            actor_kit::tree::picture_in(include_str!("tree.rs"))
        );
        running.stop(limits.stop_deadline).await;
    }
}
