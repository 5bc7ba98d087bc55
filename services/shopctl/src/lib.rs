//! What the `shopctl` command does, as a library, so that tests can do it too.
//!
//! ```text
//! main.rs ── cli.rs ─┬─ dev.rs        a stack that stays up                ┐
//!                    ├─ demo/         four orders on a stack of their own  ├─ devstack
//!                    ├─ bench/        load, figures, audit                 │
//!                    ├─ chaos/        load, faults from a seed, audit      ┘
//!                    ├─ provision.rs  roles and databases on servers of one's own
//!                    ├─ audit/        the books over all databases, read as shopapi_audit
//!                    ├─ operate/      what people do by hand, through the services' admin doors
//!                    ├─ telemetry/    the development stand-in for Collector and Jaeger, alone or beside `dev` and `demo`
//!                    │   └─ console/  its page: traces, supervision trees as they are, orders under way
//!                    ├─ pki/          keys, certificates and passwords for a cluster
//!                    ├─ smoke/        does a running system do what it should?
//!                    └─ sql.rs        typed SQL from queries and migrations
//!        shared: checkout.rs (where is the code, build it)  client.rs (the public API)  catalogue.rs  random.rs (seeds)
//!                ui.rs (all printing)
//! ```
//!
//! **Invariants.** Everything is printed in `ui.rs`. Orders are placed and read through the public HTTP API only;
//! databases are read by the audit, the bench and chaos as the read-only role, and written only to put products on offer.
//! What operators do goes through the services, never past them.

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
pub mod chaos;
pub mod checkout;
pub mod cli;
pub mod client;
pub mod console;
pub mod demo;
pub mod dev;
pub mod operate;
pub mod pki;
pub mod provision;
pub mod random;
pub mod smoke;
pub mod sql;
pub mod telemetry;
pub mod ui;
