//! Liveness and readiness over plain HTTP, on a port of their own.
//!
//! A platform's probe asks two questions, and they are answered apart:
//!
//! ```text
//! GET /livez   "is the process able to answer?"     always 200
//! GET /readyz  "should it get work?"                200 ready | degraded,  503 unready | draining
//! ```
//!
//! [`Readiness`] is a list of named conditions that a service fills: a [`Gate`] is flipped by whoever knows (the tree has
//! started, the broker is connected), a check is computed when a probe asks (a round trip to the service's own database).
//! A *needed* condition that fails makes the service unready; an *advisory* one only makes it `degraded`.
//!
//! **Invariants.** Only these two paths exist, only GET and HEAD; nothing of a request reaches a log. A probe never waits longer than
//! [`CHECK_DEADLINE`] for a check, and however many probes arrive, the checks run at most once per [`REPORT_LIFETIME`].
//! The answer names conditions, never the error behind them.
//!
//! The server owns no state: when its task ends it can be started again on the same listener.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod readiness;
mod server;

pub use readiness::{CHECK_DEADLINE, Gate, REPORT_LIFETIME, Readiness, Report, Status};
pub use server::{CONNECTIONS_MAX, serve};
