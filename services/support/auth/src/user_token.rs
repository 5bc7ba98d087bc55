//! Users' tokens: HS256, short-lived, with keys that can overlap while one replaces another.
//!
//! The library checks the signature; every claim is checked here, against a time that is passed in. It would accept a token without
//! `aud`, `iss` or `sub`, one past its `exp` by its leeway, and one whose `nbf` lies ahead.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::CustomerId;

/// The `iss` of every user token.
pub const ISSUER: &str = "shopapi.gateway";
/// The `aud` of every user token: a token made for another purpose opens nothing here.
const AUDIENCE: &str = "shopapi.user";
/// Longest token that is looked at. Ours have about 400 bytes; anything longer is not ours and not worth parsing.
pub const TOKEN_BYTES_MAX: usize = 2048;
/// Shortest secret: HS256 needs a key as long as its hash, else guessing the key is cheaper than forging a signature.
pub const SECRET_BYTES_MIN: usize = 32;
/// Longest lifetime that is believed, whoever signed it: bounds the harm of a token that leaked.
const LIFETIME_MAX_S: u64 = 24 * 3600;
/// How far the clocks of two gateways may differ. Applied to the start of a token only; its end is its end.
const CLOCK_SKEW_S: u64 = 5;

mod keys;

pub use keys::{Guessable, KeyRing, UserKeys, UserKeysError, UserSecret};

/// A signing secret. Its `kid` is derived from it, so the two cannot be mixed up in a configuration.
#[derive(Clone)]
pub struct UserKey {
    kid: String,
    secret: SecretString,
}

/// Why a secret was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserKeyError {
    /// It can be guessed.
    #[error(
        "has {0} bytes: use at least {SECRET_BYTES_MIN}, for example the output of `openssl rand -hex 32`"
    )]
    TooShort(usize),
}

impl UserKey {
    /// Takes a secret of at least [`SECRET_BYTES_MIN`] bytes.
    ///
    /// # Errors
    /// [`UserKeyError::TooShort`].
    pub fn new(secret: impl Into<SecretString>) -> Result<Self, UserKeyError> {
        let secret = secret.into();
        let bytes = secret.expose_secret().len();
        if bytes < SECRET_BYTES_MIN {
            return Err(UserKeyError::TooShort(bytes));
        }
        // 32 bits of a hash over 256 and more: enough to tell keys apart, nothing to learn about the secret.
        let mut digest = Sha256::new();
        digest.update(b"shopapi.user.kid\0");
        digest.update(secret.expose_secret().as_bytes());
        let kid = digest
            .finalize()
            .iter()
            .take(4)
            .fold(String::new(), |mut hex, byte| {
                use fmt::Write as _;
                // Writing to a String does not fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
        Ok(Self { kid, secret })
    }

    /// The name that tokens carry.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey({})", self.kid)
    }
}

/// Issues and verifies users' tokens, with the keys as they are at that moment.
pub struct UserTokens {
    keys: UserKeys,
    lifetime: Duration,
}

/// A fresh token. `Debug` leaves the token out.
pub struct IssuedToken {
    /// What the caller sends as `Authorization: Bearer …`.
    pub token: String,
    /// How long it is good for.
    pub expires_in: Duration,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Why a token is not believed. For logs and tests: a caller outside only learns that it has to log in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("token too long")]
    TooLong,
    /// Not a token, or a claim is missing or has the wrong type.
    #[error("token malformed")]
    Malformed,
    /// Not HS256, or signed with a key that is not known here.
    #[error("token key unknown")]
    UnknownKey,
    /// The signature does not fit.
    #[error("token signature wrong")]
    BadSignature,
    /// Made for somebody else.
    #[error("token audience wrong")]
    WrongAudience,
    /// Made by somebody else.
    #[error("token issuer wrong")]
    WrongIssuer,
    /// Past its end.
    #[error("token expired")]
    Expired,
    /// Its start lies ahead.
    #[error("token not valid yet")]
    NotYetValid,
    /// Its lifetime is longer than anything we issue.
    #[error("token lifetime out of range")]
    BadLifetime,
    /// `sub` is not a customer.
    #[error("token subject is not a customer")]
    BadSubject,
    /// The token could not be signed.
    #[error("token could not be signed")]
    Signing,
}

/// Every claim is required, and `aud` is one string: a list of audiences does not parse.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl UserTokens {
    /// Signs with the current key of `keys`; believes it and the retiring one, whose tokens have not expired yet.
    #[must_use]
    pub fn new(keys: UserKeys, lifetime: Duration) -> Self {
        Self {
            keys,
            lifetime: lifetime.min(Duration::from_secs(LIFETIME_MAX_S)),
        }
    }

    /// A token for this customer, valid from `now_s` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// [`TokenError::Signing`] when the crypto library refuses, which no input leads to.
    pub fn issue(&self, customer: CustomerId, now_s: u64) -> Result<IssuedToken, TokenError> {
        let keys = self.keys.now();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(keys.signing_kid.clone());
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: customer.to_string(),
            iat: now_s,
            nbf: now_s,
            exp: now_s.saturating_add(self.lifetime.as_secs()),
        };
        let token = jsonwebtoken::encode(&header, &claims, &keys.signing)
            .map_err(|_| TokenError::Signing)?;
        Ok(IssuedToken {
            token,
            expires_in: self.lifetime,
        })
    }

    /// The customer that a token speaks for, at `now_s` (seconds since the Unix epoch).
    ///
    /// # Errors
    /// [`TokenError`] names the first thing that is wrong.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<CustomerId, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        let kid = header.kid.as_deref().ok_or(TokenError::UnknownKey)?;
        if header.alg != Algorithm::HS256 {
            return Err(TokenError::UnknownKey);
        }
        let keys = self.keys.now();
        let (_, key) = keys
            .verifying
            .iter()
            .find(|(known, _)| known == kid)
            .ok_or(TokenError::UnknownKey)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &signature_only())
            .map_err(|error| refusal(&error))?
            .claims;
        check(&claims, now_s)
    }
}

impl fmt::Debug for UserTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserTokens")
            .field("keys", &self.keys)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// The library looks at the signature and the algorithm; the clock and the claims are ours.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.leeway = 0;
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn refusal(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::BadSignature,
        ErrorKind::InvalidAudience => TokenError::WrongAudience,
        ErrorKind::InvalidIssuer => TokenError::WrongIssuer,
        _ => TokenError::Malformed,
    }
}

fn check(claims: &Claims, now_s: u64) -> Result<CustomerId, TokenError> {
    if claims.aud != AUDIENCE {
        return Err(TokenError::WrongAudience);
    }
    if claims.iss != ISSUER {
        return Err(TokenError::WrongIssuer);
    }
    if now_s >= claims.exp {
        return Err(TokenError::Expired);
    }
    let latest_start = now_s.saturating_add(CLOCK_SKEW_S);
    if claims.nbf > latest_start || claims.iat > latest_start {
        return Err(TokenError::NotYetValid);
    }
    match claims.exp.checked_sub(claims.iat) {
        Some(lifetime) if lifetime <= LIFETIME_MAX_S => {}
        _ => return Err(TokenError::BadLifetime),
    }
    // Only the hyphenated form that we issue: one customer has one spelling.
    let id = Uuid::try_parse(&claims.sub).map_err(|_| TokenError::BadSubject)?;
    if id.is_nil() || id.to_string() != claims.sub {
        return Err(TokenError::BadSubject);
    }
    Ok(CustomerId(id))
}

#[cfg(test)]
mod tests;
