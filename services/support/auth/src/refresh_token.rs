//! Refresh tokens: 256 random bits that the customer keeps, and their hash, which is all that we keep.

use std::fmt;

use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Random bytes in a token: guessing one is as hard as guessing a key.
const TOKEN_BYTES: usize = 32;

/// A token on its way out or in. `Debug` leaves it out.
#[derive(Debug, Clone)]
pub struct RefreshToken(SecretString);

/// SHA-256 of a token. Not a password hash, because there is nothing to guess: the token itself is random.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl RefreshToken {
    /// A token that nobody had before.
    #[must_use]
    pub fn random() -> Self {
        let bytes: [u8; TOKEN_BYTES] = rand::rng().random();
        let mut text = String::with_capacity(2 * TOKEN_BYTES);
        for byte in bytes {
            use fmt::Write as _;
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into())
    }

    /// A token as it comes from outside; `None` for what we cannot have issued, which saves the look-up.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let shown = text.expose_secret();
        let is_ours = shown.len() == 2 * TOKEN_BYTES
            && shown
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| Self(text.clone()))
    }

    /// What is stored and looked up.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose().as_bytes()).into())
    }

    /// For the answer to its owner, and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_only_ours_are_looked_at() {
        let (one, other) = (RefreshToken::random(), RefreshToken::random());
        assert_ne!(one.hash(), other.hash());
        let parsed = RefreshToken::parse(&one.expose().into()).unwrap();
        assert_eq!(parsed.hash(), one.hash());
        for text in [
            "",
            "abc",
            &one.expose().to_uppercase(),
            &format!("{}0", one.expose()),
            &"g".repeat(64),
        ] {
            assert!(RefreshToken::parse(&(*text).into()).is_none(), "{text}");
        }
    }

    #[test]
    fn no_rendering_shows_a_token_or_its_hash() {
        let token = RefreshToken::random();
        let shown = format!("{token:?} {:?}", token.hash());
        assert!(!shown.contains(token.expose()), "{shown}");
        assert!(!shown.contains("TokenHash(["), "{shown}");
    }
}
