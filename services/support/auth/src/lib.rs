//! Who is calling: tokens of users, and the check of their passwords.
//!
//! ```text
//!   email + password ─► Accounts ─► AccountStore (port: who is that?)
//!   refresh token ────►    │  ├───► PasswordPool (argon2id, few at a time)
//!                          │  └───► Throttle (failures of accounts and addresses)
//!                          ▼
//!                      CustomerId ─► UserTokens::issue ─► "Bearer …" ─► UserTokens::verify ─► CustomerId
//! ```
//!
//! **Invariants**
//! - A token is believed only when every claim is there and right; the algorithm comes from the key, never from the token.
//! - An unknown e-mail costs the same time as a wrong password and gets the same answer.
//! - Password hashing cannot take more than its share of threads and memory, however many logins arrive.
//! - A refresh token works once; only its hash is kept.
//! - No token, password or e-mail reaches a log, an error text or a `Debug` output.
//!
//! Nothing here keeps state that a crash could lose, but the throttle's counts.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod accounts;
mod demo_users;
mod email;
mod password;
mod refresh_token;
pub mod service_token;
#[doc(hidden)]
pub mod testing;
mod throttle;
mod user_token;

use uuid::Uuid;

pub use accounts::{
    Account, AccountError, AccountStore, Accounts, NewAccount, NewFamily, Registered, Rotation,
    SESSION_LIFETIME, SESSIONS_MAX, Session, StoreDown,
};
pub use demo_users::{DemoUser, DemoUsersError};
pub use email::{Email, InvalidEmail};
pub use password::{
    InvalidPassword, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordError,
    PasswordHash, PasswordPool,
};
pub use refresh_token::{RefreshToken, TokenHash};
pub use throttle::{PER_ACCOUNT, PER_ADDRESS, PER_LOGIN, PER_TOKEN, Rate, Throttle, TooMany};
pub use user_token::{
    Guessable, ISSUER, IssuedToken, KeyRing, SECRET_BYTES_MIN, TOKEN_BYTES_MAX, TokenError,
    UserKey, UserKeyError, UserKeys, UserKeysError, UserSecret, UserTokens,
};

/// A customer, as the `sub` of a token names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerId(pub Uuid);

impl std::fmt::Display for CustomerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
