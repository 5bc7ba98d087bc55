//! The orders service against a real PostgreSQL and NATS of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod journal;
mod journal_failures;
mod migrations;
mod neighbours;
mod recovery;
mod service;
mod store;
mod support;
