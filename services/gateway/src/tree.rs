//! The gateway's tree. The only place that spawns.
//!
//! ```text
//! gateway (one_for_one, 5 crashes / 60 s, then the process exits non-zero)
//! ├── orders-client  owns the gRPC channel to orders
//! ├── catalog-client owns the gRPC channel to inventory: catalogue reads
//! └── http           adapter; started last, stopped first
//! ```

use std::sync::Arc;
use std::time::Duration;

use actor_kit::Mailbox;
use actor_kit::tree::{ChildSpec, Tree};
use axum::Router;
use tokio::net::TcpListener;

use crate::catalog_client::{CatalogCall, CatalogClient};
use crate::config::Limits;
use crate::http;
use crate::orders_client::{OrdersCall, OrdersClient};

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

/// Declares the tree. The listener is bound before, so that a taken port is an error of the start and survives restarts of `http`.
pub(crate) fn tree(
    endpoints: Endpoints,
    mailboxes: &Mailboxes,
    router: Router,
    listener: TcpListener,
    limits: Limits,
) -> Tree {
    let listener = Arc::new(listener);
    let Endpoints { orders, inventory } = endpoints;
    Tree::new("gateway")
        .intensity(5, Duration::from_secs(60))
        .child(ChildSpec::new(
            "orders-client",
            "owns the gRPC channel to orders",
            &mailboxes.orders,
            move || OrdersClient::new(orders.clone(), limits.create_deadline, limits.call_deadline),
        ))
        .child(ChildSpec::new(
            "catalog-client",
            "owns the gRPC channel to inventory: catalogue reads",
            &mailboxes.catalog,
            move || CatalogClient::new(inventory.clone(), limits.call_deadline),
        ))
        .child(ChildSpec::task(
            "http",
            "adapter; started last, stopped first",
            move |stop| http::serve(Arc::clone(&listener), router.clone(), limits, stop),
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_tree_runs_as_it_is_drawn() {
        let limits = Limits::default();
        let nowhere = || -> shopapi_rpc::Endpoints { "http://127.0.0.1:1".parse().unwrap() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoints = Endpoints {
            orders: nowhere(),
            inventory: nowhere(),
        };

        let running = tree(
            endpoints,
            &Mailboxes::new(&limits),
            Router::new(),
            listener,
            limits,
        )
        .start()
        .await
        .unwrap();

        assert_eq!(
            running.render(),
            actor_kit::tree::picture_in(include_str!("tree.rs"))
        );
        running.stop(limits.stop_deadline).await;
    }
}
