//! Tests of the stock rules, of batches of them and of the stock keeper.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod histories;
mod keeper;
mod support;
mod table;
