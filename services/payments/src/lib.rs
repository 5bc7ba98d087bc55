//! Payments: takes requests from orders, charges through a provider, owns late money.
//!
//! ```text
//!   stream ORDERS ── orders-consumer ─┐                    ┌── outbox-drainer ── publisher ── stream PAYMENTS
//!   orders ── gRPC ── grpc (adapter) ─┴─ PaymentDesk ── payment-ledger ── paymentsdb
//!                                              │  hand-over     ▲
//!                                              └──► payment-processor ── PaymentProvider: the simulated one ── providerdb
//! ```
//!
//! The rules and the actors are the crate `payment`; this crate wires them to PostgreSQL (`queries/`, `sql/`), NATS and gRPC. Everything
//! is in the books: a crash, a lost database or a lost bus leaves rows that any replica goes on with.
//!
//! **Invariants**
//! - One payment per order, at most one capture, whatever was captured and is not wanted is given back (crate `payment`).
//! - A lost database or bus is a state: commands answer `UNAVAILABLE`, nothing crashes, everything goes on by itself.
//! - The simulated provider shares nothing with our books: another database, role and transaction.
//! - No payment method reaches a log, a span or an error.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::allow_attributes,
        reason = "tests fail by panicking"
    )
)]

mod books;
mod bus;
mod config;
mod database;
mod events;
mod grpc;
mod ledger;
mod maintenance;
mod operators;
mod orders_consumer;
mod provider;
mod telemetry;
mod tree;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jetstream::{BusState, Connection};
use shopapi_health::{Gate, Readiness};
use shopapi_postgres::migrate::Schema;
use shopapi_postgres::{KnownSchema, ReadPool};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Reads the payload of `orders.created`, for whoever throws bytes at it; whether it is one.
#[doc(hidden)]
#[must_use]
pub fn reads_event(payload: &[u8]) -> bool {
    events::request(payload).is_ok()
}

pub use config::{Config, Limits};

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
    /// The bus' options are unusable.
    #[error(transparent)]
    Bus(#[from] jetstream::BadBusOptions),
    /// The pool of read connections refuses its configuration.
    #[error(transparent)]
    Pool(#[from] shopapi_postgres::Disconnected),
    /// A child did not start.
    #[error(transparent)]
    Start(#[from] actor_kit::SpawnError),
    /// The children crashed more often than the tree puts up with.
    #[error("gave up: {0}")]
    GaveUp(String),
}

/// Connections of the simulated provider for look-ups: the lane's calls are short.
const PROVIDER_READ_CONNECTIONS: usize = 2;

/// How late the health port may tell that the bus came or went.
const BUS_WATCH_EVERY: Duration = Duration::from_millis(500);

/// Serves until `shutdown` is cancelled, then stops in good order.
///
/// # Errors
/// [`RunError`] when it could not start or its tree gave up.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let grpc = listen(config.grpc_addr).await?;
    let health = listen(config.health_addr).await?;
    serve(config, grpc, health, shutdown).await
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(addr)
        .await
        .map_err(|source| RunError::Listen { addr, source })
}

async fn serve(
    config: Config,
    grpc: TcpListener,
    health: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let limits = config.limits;
    let bus = Connection::open(&config.bus).await?;
    let reads = ReadPool::new(
        &config.database.named("payments reads"),
        limits.read_connections,
    )?;
    let outside = tree::Outside {
        provider_reads: ReadPool::new(
            &config.provider_database.named("provider reads"),
            PROVIDER_READ_CONNECTIONS,
        )?,
        provider_database: config.provider_database,
        database: config.database,
        reads: reads.clone(),
        bus: bus.clone(),
        trust: config.trust,
        listener: Arc::new(grpc),
    };
    let mailboxes = tree::Mailboxes::new(&limits);
    let tree = tree::tree(&outside, &mailboxes, config.policy, limits)
        .start()
        .await?;

    let readiness = readiness(&tree, reads);
    let health_stop = CancellationToken::new();
    tokio::spawn(watch_bus(
        bus,
        readiness.advisory_gate("bus"),
        health_stop.clone(),
    ));
    tokio::spawn(telemetry::watch(
        outside.reads.clone(),
        outside.bus.clone(),
        health_stop.clone(),
    ));
    let health = tokio::spawn(shopapi_health::serve(
        health,
        readiness.clone(),
        health_stop.clone().cancelled_owned(),
    ));
    info!(grpc = %config.grpc_addr, health = %config.health_addr, "payments is up");

    let gave_up = tokio::select! {
        () = shutdown.cancelled() => None,
        reason = tree.failed() => Some(reason),
    };
    readiness.drain();
    tree.stop(limits.stop_deadline).await;
    health_stop.cancel();
    // The probes' task holds nothing that has to be saved.
    drop(health.await);
    match gave_up {
        None => {
            info!("payments has stopped");
            Ok(())
        }
        Some(reason) => Err(RunError::GaveUp(reason)),
    }
}

/// A lost bus only degrades: commands arrive over gRPC, events wait in the outbox.
async fn watch_bus(bus: Connection, gate: Gate, stop: CancellationToken) {
    while !stop.is_cancelled() {
        gate.set(bus.state() == BusState::Connected);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(BUS_WATCH_EVERY) => {}
        }
    }
}

/// Ready: own tree and own database, which answers and has the schema this program knows.
fn readiness(tree: &actor_kit::tree::RunningTree, reads: ReadPool) -> Readiness {
    let readiness = Readiness::new();
    let view = tree.view();
    readiness.check("tree", move || {
        let running = view.all_running();
        async move { running }
    });
    let database = KnownSchema::new(reads, Schema::Payments);
    readiness.check("database", move || {
        let database = database.clone();
        async move { database.is_ready().await }
    });
    readiness
}
