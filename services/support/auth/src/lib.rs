//! Who is calling: tokens of users, and the check of their passwords.
//!
//! ```text
//!   email + password ─► Login ─► Accounts (port: who is that?)
//!                         │ └──► PasswordPool (argon2id, few at a time)
//!                         ▼
//!                     CustomerId ─► UserTokens::issue ─► "Bearer …" ─► UserTokens::verify ─► CustomerId
//! ```
//!
//! **Invariants**
//! - A token is believed only when every claim is there and right; the algorithm comes from the key, never from the token.
//! - An unknown e-mail costs the same time as a wrong password and gets the same answer.
//! - Password hashing cannot take more than its share of threads and memory, however many logins arrive.
//! - No token, password or e-mail reaches a log, an error text or a `Debug` output.
//!
//! Nothing here keeps state that a crash could lose.
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
mod login;
mod password;
mod user_token;

use uuid::Uuid;

pub use accounts::{Account, Accounts, AccountsError, SeedError, SeededAccounts};
pub use login::{Login, LoginError};
pub use password::{PASSWORD_BYTES_MAX, PasswordError, PasswordHash, PasswordPool};
pub use user_token::{
    ISSUER, IssuedToken, SECRET_BYTES_MIN, TOKEN_BYTES_MAX, TokenError, UserKey, UserKeyError,
    UserTokens,
};

/// A customer, as the `sub` of a token names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomerId(pub Uuid);

impl std::fmt::Display for CustomerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
