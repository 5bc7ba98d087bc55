//! The public HTTP side: takes JSON, checks it, turns each call into a message, and the answer back into JSON or problem+json.
//!
//! ```text
//!   client ── HTTP/1.1 ── http (adapter) ──► orders-client  ── gRPC ── orders
//!                           │   │  Reply ──► catalog-client ── gRPC ── inventory (catalogue)
//!                           │   └── Login, UserTokens: who is calling
//!                           └── problem.rs, errors.rs: everything that goes wrong, in one vocabulary
//! ```
//!
//! It owns no business state: a crash loses the calls in flight, whose senders repeat them with their `Idempotency-Key`.
//!
//! **Invariants**
//! - `customer_id` comes from the token; nothing in a body or a path can name another customer.
//! - Every error leaves as `application/problem+json` with a stable `type`; internal error text is logged, never sent.
//! - Everything that grows has a limit with a name ([`Limits`]).
//! - A callee that is gone is a 503 with `Retry-After`, never a crash.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod catalog_client;
mod config;
mod http;
mod orders_client;
mod rpc;
mod tree;

use std::sync::Arc;

use shopapi_auth::UserTokens;
use shopapi_health::Readiness;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use config::{Config, Limits};

/// Why the service ended without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source} (another process may use the port)")]
    Listen {
        /// The address.
        addr: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A child did not start.
    #[error(transparent)]
    Start(#[from] actor_kit::SpawnError),
    /// The children crashed more often than the tree puts up with.
    #[error("gave up: {0}")]
    GaveUp(String),
}

/// Serves until `shutdown` is cancelled, then lets calls in flight end.
///
/// # Errors
/// [`RunError`] when it could not start or its tree gave up.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let addr = config.http_addr;
    let listener = TcpListener::bind(addr)
        .await
        .map_err(|source| RunError::Listen { addr, source })?;
    serve(config, listener, shutdown).await
}

async fn serve(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let limits = config.limits;
    // As bound: port 0 asks the system for any.
    let addr = listener.local_addr().unwrap_or(config.http_addr);
    let readiness = Readiness::new();
    let draining = CancellationToken::new();
    let mailboxes = tree::Mailboxes::new(&limits);
    let api = Arc::new(http::Api {
        orders: mailboxes.orders.clone(),
        catalog: mailboxes.catalog.clone(),
        tokens: UserTokens::new(
            &config.user_key,
            &config.retiring_user_keys,
            limits.token_lifetime,
        ),
        login: config.login,
        readiness: readiness.clone(),
        streams: Arc::new(tokio::sync::Semaphore::new(limits.streams_max)),
        draining: draining.clone(),
        limits,
    });
    let endpoints = tree::Endpoints {
        orders: config.orders_url,
        inventory: config.inventory_url,
    };
    let tree = tree::tree(endpoints, &mailboxes, http::router(api), listener, limits)
        .start()
        .await?;
    let view = tree.view();
    readiness.check("tree", move || {
        let running = view.all_running();
        async move { running }
    });
    info!(addr = %addr, "gateway is up");

    let gave_up = tokio::select! {
        () = shutdown.cancelled() => None,
        reason = tree.failed() => Some(reason),
    };
    readiness.drain();
    draining.cancel();
    tree.stop(limits.stop_deadline).await;
    match gave_up {
        None => {
            info!("gateway has stopped");
            Ok(())
        }
        Some(reason) => Err(RunError::GaveUp(reason)),
    }
}

#[cfg(test)]
mod tests;
