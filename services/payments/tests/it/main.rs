//! The payments service against a real PostgreSQL and NATS of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod bus;
mod commands;
mod failures;
mod late_money;
mod spans;
mod support;
