//! From an e-mail and a password, or a refresh token, to somebody who is logged in.
//!
//! ```text
//!   register ─┐          ┌─ Throttle     paid before the check, given back on success
//!   login ────┼─ Accounts┼─ PasswordPool one argon2id run for each password that is checked, whoever it is
//!   refresh ──┤          └─ AccountStore (port)
//!   logout ───┘
//! ```
//!
//! **Invariants.** An unknown e-mail costs the run that a wrong password costs. A refresh token works once; when a used one comes back,
//! either of two people who hold it is a thief, and everything that descends from that login ends. Every write names what it writes, so a
//! store repeats one whose answer was lost.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{info, warn};
use uuid::Uuid;

use crate::CustomerId;
use crate::email::{Email, InvalidEmail};
use crate::password::{InvalidPassword, PasswordError, PasswordHash, PasswordPool, check_new};
use crate::refresh_token::{RefreshToken, TokenHash};
use crate::throttle::{Attempt, PER_LOGIN, Rate, Throttle, TooMany, What};

/// How long a login lasts, refreshed or not: after it the password is asked for again.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Logins of one customer at once, on all their devices and browsers; a new one ends the oldest. Each is kept until it ends, and who logs in with
/// a script would else leave one behind each time.
pub const SESSIONS_MAX: u32 = 50;

/// What a login needs to know about somebody.
#[derive(Debug, Clone)]
pub struct Account {
    /// Becomes the `sub` of the token.
    pub customer: CustomerId,
    /// What the password is checked against.
    pub password: PasswordHash,
}

/// Somebody who is not in the store yet.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Chosen by us: a repetition names the same.
    pub customer: CustomerId,
    /// What they log in with.
    pub email: Email,
    /// Never the password itself.
    pub password: PasswordHash,
}

/// The first refresh token of a login, and the family that it founds.
#[derive(Debug, Clone, Copy)]
pub struct NewFamily {
    /// Chosen by us: a repetition names the same.
    pub id: Uuid,
    /// Its first token.
    pub token: TokenHash,
    /// How long the family may live.
    pub lifetime: Duration,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The account is there and logged in.
    Done,
    /// Somebody has this e-mail.
    EmailTaken,
}

/// What became of a refresh token that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It was good and is used up; its successor is.
    Fresh(CustomerId),
    /// It had been used before: its family has ended.
    Reused(Uuid),
    /// It is good and stays so, but its family has refreshed too often: come back after this long.
    TooOften(Duration),
    /// Unknown, expired, logged out, or of a family that had ended.
    Refused,
}

/// The place where accounts are kept does not answer. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("accounts not reachable: {0}")]
pub struct StoreDown(pub String);

/// Where accounts and refresh tokens are kept. Each write is one commit.
pub trait AccountStore: Send + Sync + 'static {
    /// The account of this e-mail; `None` when nobody has it.
    fn find<'a>(&'a self, email: &'a Email) -> BoxFuture<'a, Result<Option<Account>, StoreDown>>;
    /// Adds an account and its first login, both or neither.
    fn register<'a>(
        &'a self,
        account: &'a NewAccount,
        family: NewFamily,
    ) -> BoxFuture<'a, Result<Registered, StoreDown>>;
    /// Adds a login, and ends the oldest of the customer's so that about `live_max` go on.
    fn open(
        &self,
        customer: CustomerId,
        family: NewFamily,
        live_max: u32,
    ) -> BoxFuture<'_, Result<(), StoreDown>>;
    /// Uses `presented` up and puts `fresh` in its place, unless its family has done so more often than `rate` allows.
    fn rotate(
        &self,
        presented: TokenHash,
        fresh: TokenHash,
        rate: Rate,
    ) -> BoxFuture<'_, Result<Rotation, StoreDown>>;
    /// Ends the family of a token. One that is unknown has nothing to end.
    fn logout(&self, token: TokenHash) -> BoxFuture<'_, Result<(), StoreDown>>;
}

/// Somebody is logged in.
#[derive(Debug)]
pub struct Session {
    /// Who.
    pub customer: CustomerId,
    /// For the next refresh; good once.
    pub refresh_token: RefreshToken,
}

/// Why somebody is not logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// A registration with an address or a password that cannot be one.
    #[error("registration not valid")]
    Invalid {
        /// What is wrong with the e-mail.
        email: Option<InvalidEmail>,
        /// What is wrong with the password.
        password: Option<InvalidPassword>,
    },
    /// Somebody has this e-mail.
    #[error("e-mail taken")]
    EmailTaken,
    /// Unknown e-mail or wrong password; which one is not told.
    #[error("e-mail or password wrong")]
    Refused,
    /// The refresh token is not good, for whatever reason.
    #[error("refresh token not valid")]
    TokenRefused,
    /// Too many failures of this account or from this address, or refreshes of this login.
    #[error("too many attempts")]
    TooManyAttempts {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// Too many passwords are being checked: come back.
    #[error("too many logins at once")]
    Busy,
    /// The store does not answer, or hashing failed.
    #[error("accounts not available: {0}")]
    Unavailable(String),
}

impl From<StoreDown> for AccountError {
    fn from(down: StoreDown) -> Self {
        Self::Unavailable(down.to_string())
    }
}

impl From<TooMany> for AccountError {
    fn from(too_many: TooMany) -> Self {
        Self::TooManyAttempts {
            retry_after: too_many.retry_after,
        }
    }
}

impl From<PasswordError> for AccountError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            // Nobody can have such a password.
            PasswordError::TooLong => Self::Refused,
            PasswordError::Failed => Self::Unavailable(error.to_string()),
        }
    }
}

impl AccountError {
    /// Somebody guessed wrong, as opposed to us not being able to look.
    fn counts(&self) -> bool {
        match self {
            Self::Refused | Self::EmailTaken | Self::TokenRefused => true,
            Self::Invalid { .. }
            | Self::TooManyAttempts { .. }
            | Self::Busy
            | Self::Unavailable(_) => false,
        }
    }
}

/// Registers, logs in, refreshes and logs out. Cloning shares everything.
#[derive(Clone)]
pub struct Accounts {
    store: Arc<dyn AccountStore>,
    pool: PasswordPool,
    throttle: Arc<Throttle>,
}

impl Accounts {
    /// Accounts of this store.
    #[must_use]
    pub fn new(store: Arc<dyn AccountStore>, pool: PasswordPool, throttle: Throttle) -> Self {
        Self {
            store,
            pool,
            throttle: Arc::new(throttle),
        }
    }

    /// Adds an account and logs it in. A registration counts against its address even when it succeeds: each one is a row for good. It is counted
    /// apart from failures.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn register(
        &self,
        email: &str,
        password: SecretString,
        from: IpAddr,
    ) -> Result<Session, AccountError> {
        let (email, valid) = (Email::parse(email), check_new(password.expose_secret()));
        let email = match (email, valid) {
            (Ok(email), Ok(())) => email,
            (email, password) => {
                return Err(AccountError::Invalid {
                    email: email.err(),
                    password: password.err(),
                });
            }
        };
        let attempt = self
            .throttle
            .enter(What::Registration, from, Instant::now())?;
        let registered = self.register_now(email, password).await;
        if registered.as_ref().is_err_and(|error| !error.counts()) {
            self.throttle.forgive(attempt, Instant::now());
        }
        registered
    }

    async fn register_now(
        &self,
        email: Email,
        password: SecretString,
    ) -> Result<Session, AccountError> {
        let account = NewAccount {
            customer: CustomerId(Uuid::new_v4()),
            email,
            password: self.pool.hash(password).await?,
        };
        let (refresh_token, family) = new_family();
        match self.store.register(&account, family).await? {
            Registered::Done => Ok(Session {
                customer: account.customer,
                refresh_token,
            }),
            Registered::EmailTaken => Err(AccountError::EmailTaken),
        }
    }

    /// Logs somebody in.
    ///
    /// # Errors
    /// [`AccountError`]; `Refused` for an unknown e-mail and a wrong password alike.
    pub async fn login(
        &self,
        email: &str,
        password: SecretString,
        from: IpAddr,
    ) -> Result<Session, AccountError> {
        let email = Email::parse(email).ok();
        let attempt = self
            .throttle
            .enter(What::Login(email.as_ref()), from, Instant::now())?;
        let session = self.login_now(email.as_ref(), password).await;
        self.settle(attempt, &session);
        session
    }

    async fn login_now(
        &self,
        email: Option<&Email>,
        password: SecretString,
    ) -> Result<Session, AccountError> {
        // What is no address belongs to nobody, and everybody can see that.
        let email = email.ok_or(AccountError::Refused)?;
        let Some(account) = self.store.find(email).await? else {
            // The run that a wrong password would cost.
            let _nobodys = self.pool.hash(password).await?;
            return Err(AccountError::Refused);
        };
        if !self.pool.verify(password, account.password).await? {
            return Err(AccountError::Refused);
        }
        let (refresh_token, family) = new_family();
        self.store
            .open(account.customer, family, SESSIONS_MAX)
            .await?;
        Ok(Session {
            customer: account.customer,
            refresh_token,
        })
    }

    /// Takes a refresh token and gives the next one.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn refresh(
        &self,
        token: &SecretString,
        from: IpAddr,
    ) -> Result<Session, AccountError> {
        let presented = RefreshToken::parse(token).map(|token| token.hash());
        let attempt = self
            .throttle
            .enter(What::Refresh(presented), from, Instant::now())?;
        let session = self.refresh_now(presented).await;
        match &session {
            Err(AccountError::TooManyAttempts { .. }) => {
                self.throttle.forgive_address(attempt, Instant::now());
            }
            _ => self.settle(attempt, &session),
        }
        session
    }

    async fn refresh_now(&self, presented: Option<TokenHash>) -> Result<Session, AccountError> {
        let presented = presented.ok_or(AccountError::TokenRefused)?;
        let refresh_token = RefreshToken::random();
        let rotation = self
            .store
            .rotate(presented, refresh_token.hash(), PER_LOGIN);
        match rotation.await? {
            Rotation::Fresh(customer) => Ok(Session {
                customer,
                refresh_token,
            }),
            Rotation::Reused(family) => {
                warn!(%family, "a used refresh token came back: its family has ended");
                Err(AccountError::TokenRefused)
            }
            Rotation::TooOften(retry_after) => Err(AccountError::TooManyAttempts { retry_after }),
            Rotation::Refused => Err(AccountError::TokenRefused),
        }
    }

    /// Ends a login. A token that is not good has nothing to end, and that is a success too. Access tokens that were given out stay
    /// good until they expire.
    ///
    /// # Errors
    /// [`AccountError::Unavailable`].
    pub async fn logout(&self, token: &SecretString) -> Result<(), AccountError> {
        if let Some(token) = RefreshToken::parse(token) {
            self.store.logout(token.hash()).await?;
            info!("a login ended by logout");
        }
        Ok(())
    }

    fn settle(&self, attempt: Attempt, outcome: &Result<Session, AccountError>) {
        if outcome.as_ref().err().is_none_or(|error| !error.counts()) {
            self.throttle.forgive(attempt, Instant::now());
        }
    }
}

fn new_family() -> (RefreshToken, NewFamily) {
    let token = RefreshToken::random();
    let family = NewFamily {
        id: Uuid::now_v7(),
        token: token.hash(),
        lifetime: SESSION_LIFETIME,
    };
    (token, family)
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
