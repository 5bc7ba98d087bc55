//! Who has an account: the port, and the accounts that a development stack is seeded with.

use std::collections::HashMap;
use std::fmt;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::CustomerId;
use crate::password::{PasswordError, PasswordHash, PasswordPool};

/// What a login needs to know about somebody.
#[derive(Debug, Clone)]
pub struct Account {
    /// Becomes the `sub` of the token.
    pub customer: CustomerId,
    /// What the password is checked against.
    pub password: PasswordHash,
}

/// Why an account could not be looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// The place where accounts are kept does not answer.
    #[error("accounts not reachable: {0}")]
    Unavailable(String),
    /// Hashing on the way failed.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Where accounts are kept. The e-mail arrives trimmed and in lower case.
pub trait Accounts: Send + Sync + 'static {
    /// The account of this e-mail; `None` when nobody has it.
    fn find<'a>(&'a self, email: &'a str) -> BoxFuture<'a, Result<Option<Account>, AccountsError>>;
}

/// Accounts from the configuration, for development and demonstrations.
///
/// Their passwords come in the clear, so each is hashed at its first login: a start does not pay for logins that never come, and the
/// check itself is the one of production.
pub struct SeededAccounts {
    by_email: HashMap<String, Seed>,
    pool: PasswordPool,
}

struct Seed {
    customer: CustomerId,
    password: SecretString,
    hash: OnceCell<PasswordHash>,
}

/// What is wrong with a list of seeded users. Positions count from 1; the text repeats neither passwords nor e-mails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// An entry does not have three parts.
    #[error("entry {0} is not `email:password:customer-uuid`")]
    Shape(usize),
    /// The third part is no UUID.
    #[error("entry {0}: the customer id is not a UUID")]
    CustomerId(usize),
    /// The first part is no e-mail, or the password is empty.
    #[error("entry {0}: the e-mail needs an `@` and the password must not be empty")]
    Credentials(usize),
    /// Two entries for the same e-mail.
    #[error("entry {0} repeats an e-mail")]
    Repeated(usize),
}

impl SeededAccounts {
    /// Nobody: every login is refused.
    #[must_use]
    pub fn none(pool: PasswordPool) -> Self {
        Self {
            by_email: HashMap::new(),
            pool,
        }
    }

    /// Parses `email:password:customer-uuid[,…]`. The password may contain colons, not commas.
    ///
    /// # Errors
    /// [`SeedError`] names the entry.
    pub fn parse(list: &SecretString, pool: PasswordPool) -> Result<Self, SeedError> {
        let mut by_email = HashMap::new();
        let entries = list.expose_secret().split(',').map(str::trim);
        for (index, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
            let position = index + 1;
            let (email, rest) = entry.split_once(':').ok_or(SeedError::Shape(position))?;
            let (password, id) = rest.rsplit_once(':').ok_or(SeedError::Shape(position))?;
            let id = Uuid::try_parse(id).map_err(|_| SeedError::CustomerId(position))?;
            if !email.contains('@') || password.is_empty() {
                return Err(SeedError::Credentials(position));
            }
            let seed = Seed {
                customer: CustomerId(id),
                password: password.into(),
                hash: OnceCell::new(),
            };
            if by_email
                .insert(crate::login::normalised(email), seed)
                .is_some()
            {
                return Err(SeedError::Repeated(position));
            }
        }
        Ok(Self { by_email, pool })
    }
}

impl Accounts for SeededAccounts {
    fn find<'a>(&'a self, email: &'a str) -> BoxFuture<'a, Result<Option<Account>, AccountsError>> {
        Box::pin(async move {
            let Some(seed) = self.by_email.get(email) else {
                return Ok(None);
            };
            let hash = seed
                .hash
                .get_or_try_init(|| self.pool.hash(seed.password.clone()))
                .await?;
            Ok(Some(Account {
                customer: seed.customer,
                password: hash.clone(),
            }))
        })
    }
}

impl fmt::Debug for SeededAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededAccounts")
            .field("accounts", &self.by_email.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    fn parse(list: &str) -> Result<SeededAccounts, SeedError> {
        SeededAccounts::parse(&list.into(), PasswordPool::cheap_for_tests().unwrap())
    }

    #[tokio::test]
    async fn a_seeded_user_is_found_and_the_password_may_hold_colons() {
        let accounts = parse(&format!(
            "Ann@Example.test:pass:word:{ID}, bob@example.test:x:{ID}"
        ))
        .unwrap();
        let found = accounts.find("ann@example.test").await.unwrap().unwrap();
        assert_eq!(found.customer.to_string(), ID);
        let fits = accounts
            .pool
            .verify("pass:word".into(), found.password)
            .await;
        assert_eq!(fits, Ok(true));
        assert!(accounts.find("eve@example.test").await.unwrap().is_none());
    }

    #[test]
    fn a_bad_entry_is_named_by_its_position() {
        let good = format!("a@b:pw:{ID}");
        let error = |list: String| parse(&list).unwrap_err();
        assert_eq!(error(format!("{good},nonsense")), SeedError::Shape(2));
        assert_eq!(error("a@b:pw".to_owned()), SeedError::Shape(1));
        assert_eq!(error("a@b:pw:17".to_owned()), SeedError::CustomerId(1));
        assert_eq!(error(format!("ab:pw:{ID}")), SeedError::Credentials(1));
        assert_eq!(error(format!("a@b::{ID}")), SeedError::Credentials(1));
        assert_eq!(
            error(format!("{good},A@B:other:{ID}")),
            SeedError::Repeated(2)
        );
    }
}
