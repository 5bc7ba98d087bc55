//! The orders service: accepts orders and brings each of them to its end.
//!
//! ```text
//!   gateway ─▶ grpc ─▶ saga-registry ─▶ saga/<order_id> ─▶ journal ─▶ ordersdb      one writer, one connection
//!                           ▲   ▲            │  └─▶ inventory-client ─▶ inventory
//!   stream PAYMENTS ─▶ payments-consumer     └────▶ payments-client ──▶ payments    past the bus, when it is late
//!                               │                   journal ─▶ outbox-drainer ─▶ publisher ─▶ stream ORDERS
//!                       saga-sweeper ◀─ due sagas   order-tail, order-hints ◀─▶ other replicas
//! ```
//!
//! The rules are in `order-saga`; here are wiring, SQL and wire formats. [`tree`] is the only place that spawns actors, `grpc::status` the
//! only one that knows gRPC's codes, `journal` the only one that writes orders.
//!
//! **Invariants.** Whatever answers "accepted" has been committed. A lost database is an answer (`UNAVAILABLE`) and a failing readiness
//! check, a lost bus is slower payments; neither is ever the end of the process. Nothing is kept in memory that a restart would miss.
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

mod admission;
mod bus;
mod clients;
mod config;
mod grpc;
mod journal;
mod maintenance;
mod operators;
mod order_ids;
mod service;
mod store;
mod telemetry;
pub mod tree;
mod wire;

/// Reads the payload of an event of payments, for whoever throws bytes at it; whether it is one.
#[doc(hidden)]
#[must_use]
pub fn reads_event(subject: &str, payload: &[u8], installation: order_saga::Installation) -> bool {
    matches!(
        wire::events::decode(subject, payload, installation),
        wire::events::Decoded::Fact(_)
    )
}

pub use config::{Config, Limits};
pub use journal::SqlJournal;
pub use service::{RunError, Service, run};
pub use store::OrderStore;
