//! How one service calls another: over all replicas of the callee, those that answer, by TLS both ways and with a token; and how it lets itself be called.
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
//! [`server::serve`] is the other end: TLS, limits, and a door that asks who calls ([`acl`]).
//!
//! **Invariants.**
//! - A caller speaks to the service it means: the callee's certificate names it, whatever the address. A callee knows its caller twice, from the certificate
//!   and from the token, and lets nobody in whom a row of the table does not name.
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

pub mod acl;
mod balanced;
mod choice;
mod connector;
mod door;
mod endpoints;
mod measure;
pub mod server;
mod tree;
mod trust;

pub use balanced::{Balanced, Idempotent, idempotent};
pub use choice::GRACE;
pub use endpoints::{BadEndpoints, Endpoints};
pub use measure::code_name;
pub use tree::{ActorRow, TreeApi, tree_service};
pub use trust::{ClientTrust, Credentials, Trust, TrustError};

#[cfg(test)]
mod tests;
