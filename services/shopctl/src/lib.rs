//! What the `shopctl` command does, as a library, so that tests can do it too.
//!
//! ```text
//! main.rs ── cli.rs ─┬─ dev.rs        a stack that stays up                ┐
//!                    ├─ demo/         four orders on a stack of their own  ├─ devstack
//!                    ├─ bench/        load, figures, audit                 ┘
//!                    ├─ audit/        the books over all databases, read as shopapi_audit
//!                    └─ sql.rs        typed SQL from queries and migrations
//!        shared: checkout.rs (where is the code, build it)  client.rs (the public API)  catalogue.rs  ui.rs (all printing)
//! ```
//!
//! **Invariants.** Everything is printed in `ui.rs`. Orders are placed and read through the public HTTP API only;
//! databases are read by the audit and the bench as the read-only role, and written only to put products on offer.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

pub mod audit;
pub mod bench;
pub mod catalogue;
pub mod checkout;
pub mod cli;
pub mod client;
pub mod demo;
pub mod dev;
pub mod sql;
pub mod ui;
