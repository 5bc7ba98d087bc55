//! Services' tokens: EdDSA, one Ed25519 key per service, for one callee, a minute long.
//!
//! ```text
//!   caller: jwt.key ──▶ ServiceTokens ── token for "payments", reused until near its end ──▶ authorization: Bearer …
//!   callee: jwt-public/*.pem ──▶ ServiceVerifier ── seen before? a look-up : signature and claims ──▶ "orders"
//! ```
//!
//! The token says who calls whom; it stands beside the certificate, which must name the same service. Keys follow their files: a new public key is believed
//! as soon as its file is there, an old one as long as its file stays.
//!
//! **Invariants.** The algorithm comes from the key. Each key speaks for the service that its file is named after and for no other. Every claim is required
//! and checked here against a time that is passed in; `aud` is one string; no token lives longer than [`LIFETIME_MAX_S`].

mod claims;
mod keys;
mod signer;
mod verifier;

pub use claims::{
    CLOCK_SKEW_S, LIFETIME_MAX_S, SERVICE_ISSUER, SERVICE_TOKEN_BYTES_MAX, ServiceTokenError,
};
pub use keys::ServiceKeyError;
pub use signer::ServiceTokens;
pub use verifier::ServiceVerifier;

#[cfg(test)]
mod tests;
