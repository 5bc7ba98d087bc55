//! PostgreSQL as the services see it: a database that comes and goes.
//!
//! ```text
//!   PgConfig ──┬── Session    one connection, owned by one actor (a writer, a drainer)
//!   (one URL)  ├── ReadPool   a few connections shared by readers
//!              └── migrate    embedded, forward-only migrations under a lock; KnownSchema: whether they were run
//!                     │
//!                 sqlstate    the one place that reads SQLSTATE: Failure { class, text }
//! ```
//!
//! **Invariants**
//! - A lost database is a value ([`Disconnected`], [`FailureClass::Unknown`]), never a panic and never a wait without an end.
//! - Nothing outside [`sqlstate`] looks at a SQLSTATE.
//! - No password and no row value reaches a log, an error text or a `Debug` output.
//! - A connection whose state is in doubt is dropped, not reused.
//! - Connections are TLS 1.3 to a verified server, unless the URL itself says `sslmode=disable`.
//!
//! Generated code (clorinde) runs on [`Client`], which keeps the prepared statements of its connection: every `bind` is prepared once
//! per connection. Two things about that code: inside a transaction call `.prepare(&tx)` first (it hits the same cache), and give a
//! statement a `RETURNING` even when nobody reads it, because the generated `bind` of a statement without rows prepares at each call.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod config;
mod connect;
mod known;
mod measure;
pub mod migrate;
mod pool;
mod session;
pub mod sqlstate;

pub use config::{ConfigError, PgConfig};
pub use connect::{NotDurable, check_durability, connect};
pub use known::KnownSchema;
pub use measure::{timed, watch_connected};
pub use pool::ReadPool;
pub use session::Session;
pub use sqlstate::{Disconnected, Failure, FailureClass};

/// A connection with its cache of prepared statements; the generated SQL crates accept it as their `GenericClient`.
pub use deadpool_postgres::Client;
/// A transaction on a [`Client`], sharing its cache of prepared statements.
pub use deadpool_postgres::Transaction;
