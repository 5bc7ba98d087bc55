//! What a service's token says, and what is wrong with it.

use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

/// The `iss` of every service token: a token of a user opens nothing between services.
pub const SERVICE_ISSUER: &str = "shopapi.service";
/// Longest lifetime, in seconds, that is issued or believed: bounds the harm of a token that leaked.
pub const LIFETIME_MAX_S: u64 = 60;
/// How far the clocks of two services may differ, in seconds. Applied to the start of a token only; its end is its end.
pub const CLOCK_SKEW_S: u64 = 5;
/// Longest token that is looked at. Ours have about 300 bytes.
pub const SERVICE_TOKEN_BYTES_MAX: usize = 1024;

/// Why a service's token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceTokenError {
    /// Longer than [`SERVICE_TOKEN_BYTES_MAX`].
    #[error("service token too long")]
    TooLong,
    /// Not a token, or a claim is missing or has the wrong type.
    #[error("service token malformed")]
    Malformed,
    /// Not EdDSA, or signed with a key that is not known here.
    #[error("service token key unknown")]
    UnknownKey,
    /// The signature does not fit.
    #[error("service token signature wrong")]
    BadSignature,
    /// Made for another callee.
    #[error("service token audience wrong")]
    WrongAudience,
    /// Not a service's token.
    #[error("service token issuer wrong")]
    WrongIssuer,
    /// Its key belongs to another service.
    #[error("service token subject is not its key's service")]
    WrongSubject,
    /// Past its end.
    #[error("service token expired")]
    Expired,
    /// Its start lies ahead.
    #[error("service token not valid yet")]
    NotYetValid,
    /// Its lifetime is longer than anything we issue.
    #[error("service token lifetime out of range")]
    BadLifetime,
    /// The token could not be signed.
    #[error("service token could not be signed")]
    Signing,
}

/// Every claim is required, and `aud` is one string: a list of audiences does not parse.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) sub: String,
    pub(super) iat: u64,
    pub(super) nbf: u64,
    pub(super) exp: u64,
}

/// The library looks at the signature and the algorithm; the clock and the claims are ours.
pub(super) fn signature_only(audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[SERVICE_ISSUER]);
    validation.leeway = 0;
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

/// The `kid` of a header that asks for nothing but our algorithm.
pub(super) fn kid(header: &Header) -> Result<&str, ServiceTokenError> {
    let brings_a_key = header.jku.is_some()
        || header.jwk.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some();
    if brings_a_key || header.crit.is_some() || header.alg != Algorithm::EdDSA {
        return Err(ServiceTokenError::UnknownKey);
    }
    header.kid.as_deref().ok_or(ServiceTokenError::UnknownKey)
}

pub(super) fn refusal(error: &jsonwebtoken::errors::Error) -> ServiceTokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => ServiceTokenError::BadSignature,
        ErrorKind::InvalidAudience => ServiceTokenError::WrongAudience,
        ErrorKind::InvalidIssuer => ServiceTokenError::WrongIssuer,
        _ => ServiceTokenError::Malformed,
    }
}

/// `sub` is who the key belongs to, `aud` who verifies.
pub(super) fn check(
    claims: &Claims,
    service: &str,
    audience: &str,
    now_s: u64,
) -> Result<(), ServiceTokenError> {
    if claims.aud != audience {
        return Err(ServiceTokenError::WrongAudience);
    }
    if claims.iss != SERVICE_ISSUER {
        return Err(ServiceTokenError::WrongIssuer);
    }
    if claims.sub != service {
        return Err(ServiceTokenError::WrongSubject);
    }
    if now_s >= claims.exp {
        return Err(ServiceTokenError::Expired);
    }
    let latest_start = now_s.saturating_add(CLOCK_SKEW_S);
    if claims.nbf > latest_start || claims.iat > latest_start {
        return Err(ServiceTokenError::NotYetValid);
    }
    match claims.exp.checked_sub(claims.iat) {
        Some(lifetime) if lifetime <= LIFETIME_MAX_S => Ok(()),
        _ => Err(ServiceTokenError::BadLifetime),
    }
}
