//! The inventory service: stock commands for orders, the catalogue for readers.
//!
//! ```text
//!   orders ── Reserve │ Release │ Commit ──▶ grpc ──▶ stock-keeper ──▶ inventorydb   one writer, one connection
//!   gateway, orders ── products ───────────▶ grpc ──▶ Catalogue ─────▶ inventorydb   read pool
//!                                                     maintenance ───▶ inventorydb   forgets what is old
//! ```
//!
//! The rules are in the `stock` crate; here are wiring, SQL and wire formats. [`tree`] is the only place that spawns, `grpc::status` the
//! only one that knows gRPC's codes, `store` the only one that writes stock.
//!
//! **Invariants.** Whatever answers "held" has been committed. A lost database is an answer (`UNAVAILABLE`) and a failing readiness
//! check, never the end of the process. Nothing is kept in memory that a restart would miss.
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

mod catalogue;
mod config;
mod grpc;
mod maintenance;
mod rows;
mod service;
mod store;
mod telemetry;
pub mod tree;

pub use catalogue::{Catalogue, Page, Product};
pub use config::{Config, Limits};
pub use maintenance::{Maintenance, MaintenanceMsg};
pub use service::{RunError, Service, run};
pub use store::SqlStockStore;
