//! The inventory service against a real PostgreSQL of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod books;
mod failures;
mod maintenance;
mod service;
mod support;
