//! TLS 1.3 both ways, from certificates that may be replaced while the process runs.
//!
//! ```text
//!   tls.crt tls.key ca.crt ── watched ──▶ Identity ──▶ server_config   a client certificate is required
//!                                             └──────▶ client_config   its own certificate is presented
//!   listener ──▶ Acceptor: handshakes bounded in time and number ──▶ Secured { stream, peer: "orders" }
//! ```
//!
//! A configuration is made once and given away, also to libraries that keep it for ever: it asks for certificate and roots on each handshake, so new
//! connections follow a rotation and old ones end by their age.
//!
//! **Invariants.**
//! - TLS 1.3 only, but for the public port, which takes 1.2 too. No session is resumed and no data is sent early: a resumed session would outlive the CA that vouched for it.
//! - A service is who its certificate's `spiffe://shopapi/svc/<name>` says. Host names only show that a caller reached whom it dialled.
//! - Certificate, key and CA are taken together or not at all: a key that does not match, an expired certificate or one that its own CA file does not vouch
//!   for replaces nothing.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod acceptor;
mod configs;
mod error;
mod identity;
mod material;
mod names;
mod pinned;
mod single;
mod verifiers;

pub use acceptor::{Acceptor, HandshakeLimits, Secured};
pub use error::TlsError;
pub use identity::{Identity, IdentityFiles};
pub use names::Peer;
pub use pinned::PinnedServer;
pub use single::{ServerCertificate, TrustedRoots};

#[cfg(test)]
mod tests;
