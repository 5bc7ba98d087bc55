//! The public HTTP side: takes JSON, checks it, turns each call into a message, and the answer back into JSON or problem+json.
//!
//! ```text
//!   client ── HTTP/1.1 ── http (adapter) ──► orders-client  ── gRPC ── orders
//!                           │   │  Reply ──► catalog-client ── gRPC ── inventory (catalogue)
//!                           │   └── Accounts ── gatewaydb;  UserTokens: who is calling
//!                           └── problem.rs, errors.rs: everything that goes wrong, in one vocabulary
//! ```
//!
//! It owns accounts and logins, which are in its database, and no business state: a crash loses the calls in flight, whose senders repeat
//! them with their `Idempotency-Key`.
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

mod accounts;
mod catalog_client;
mod config;
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod http;
mod maintenance;
mod orders_client;
mod proxies;
mod rpc;
mod tree;

use std::net::SocketAddr;
use std::sync::Arc;

use shopapi_auth::{Accounts, Throttle, UserTokens};
use shopapi_health::Readiness;
use shopapi_postgres::migrate::Schema;
use shopapi_postgres::{Disconnected, KnownSchema, ReadPool};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use config::{Config, Limits};
pub use proxies::{BadNetworks, TrustedProxies};

/// Why the service ended without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source} (another process may use the port)")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The pool of connections for accounts could not be set up.
    #[error("the database pool cannot be set up: {0}")]
    Pool(#[from] Disconnected),
    /// A child did not start.
    #[error(transparent)]
    Start(#[from] actor_kit::SpawnError),
    /// The children crashed more often than the tree puts up with.
    #[error("gave up: {0}")]
    GaveUp(String),
}

/// Connections that wait to be accepted: a crowd that comes at once. What does not fit is reset by the kernel after a while, in the middle of a
/// request; 4,096 is also what Linux allows by itself.
const BACKLOG: u32 = 4_096;

/// Serves until `shutdown` is cancelled, then lets calls in flight end.
///
/// # Errors
/// [`RunError`] when it could not start or its tree gave up.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let addr = config.http_addr;
    let listener = listen(addr).map_err(|source| RunError::Listen { addr, source })?;
    serve(config, listener, shutdown).await
}

fn listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
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
    let database = config.database.named("gateway-accounts");
    let pool = ReadPool::new(&database, limits.account_connections_max)?;
    check_database(&readiness, pool.clone());
    let watching = CancellationToken::new();
    let watch = shopapi_postgres::watch_connected(pool.clone());
    tokio::spawn(watching.clone().run_until_cancelled_owned(watch));
    let _watching = watching.drop_guard();
    let store = accounts::PgAccounts::new(pool, limits.account_deadline);
    let api = Arc::new(http::Api {
        orders: mailboxes.orders.clone(),
        catalog: mailboxes.catalog.clone(),
        tokens: UserTokens::new(config.user_keys.clone(), limits.token_lifetime),
        accounts: Accounts::new(
            Arc::new(store),
            config.passwords.clone(),
            Throttle::default(),
        ),
        proxies: config.trusted_proxies,
        forwarding_ignored: std::sync::Once::new(),
        readiness: readiness.clone(),
        streams: http::Streams::new(limits.streams_max, limits.streams_per_customer_max),
        draining: draining.clone(),
        limits,
    });
    let addr_of_grpc = config.grpc_addr;
    let grpc = TcpListener::bind(addr_of_grpc)
        .await
        .map_err(|source| RunError::Listen {
            addr: addr_of_grpc,
            source,
        })?;
    let parts = tree::Parts {
        trust: config.trust,
        grpc,
        endpoints: tree::Endpoints {
            orders: config.orders_url,
            inventory: config.inventory_url,
        },
        database: config.database.named("gateway-maintenance"),
        seeds: maintenance::Seeds {
            users: config.demo_users,
            passwords: config.passwords,
            done: readiness.gate("accounts"),
        },
        user_keys: config.user_keys,
        http_tls: config.http_tls,
        router: http::router(api),
        listener,
        limits,
    };
    let tree = tree::tree(parts, &mailboxes).start().await?;
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

/// Ready needs a database whose schema this program knows, seen once: schemas only grow. From then on a database that is away makes the
/// gateway degraded and not unready: who is logged in buys on, while logins are answered 503.
fn check_database(readiness: &Readiness, pool: ReadPool) {
    let pinged = pool.clone();
    readiness.advisory_check("database", move || {
        let pool = pinged.clone();
        async move { pool.ping().await.is_ok() }
    });
    let schema = KnownSchema::new(pool, Schema::Gateway);
    readiness.check("schema", move || {
        let schema = schema.clone();
        async move { schema.is_known().await }
    });
}

#[cfg(test)]
mod tests;
