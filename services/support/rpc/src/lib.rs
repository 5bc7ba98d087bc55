//! How one service calls another: over all replicas of the callee, those that answer.
//!
//! ```text
//!   tonic client ──▶ Balanced ──▶ the connected replica with the fewest calls under way
//!                       ▲
//!      resolver ── every 5 s: names → addresses ──▶ one connector per address
//!                                                   connect → first answer → in the choice → connection ends → again
//! ```
//!
//! [`Balanced`] takes the place of tonic's `Channel`, whose balancer keeps a dead replica in the choice: it fails at once, looks idle, and so draws the
//! calls of the healthy ones.
//!
//! **Invariants.**
//! - A replica is in the choice only while its connection stands and after it has answered once: the kernel accepts connections for a frozen process.
//! - A call is repeated on another replica only when the first one certainly did not begin with it, or when its sender said that repeating is harmless
//!   ([`idempotent`]). So a command without an identity is executed at most once.
//! - It never waits for a replica longer than [`GRACE`]; how long a call may take in all is its sender's business: wrap it in `tokio::time::timeout`.
//!
//! **What breaks heals here.** A connection that ends is replaced with backoff; pings find the partition that no packet reports; names are resolved again.
//! Dropping the last clone ends every task; calls under way go on to their answers.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod balanced;
mod choice;
mod connector;
mod endpoints;

pub use balanced::{Balanced, Idempotent, idempotent};
pub use choice::GRACE;
pub use endpoints::{BadEndpoints, Endpoints};

#[cfg(test)]
mod tests;
