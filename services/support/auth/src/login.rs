//! From an e-mail and a password to a customer.

use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::CustomerId;
use crate::accounts::{Accounts, AccountsError};
use crate::password::{PasswordError, PasswordHash, PasswordPool};

/// Longest address that SMTP can carry.
const EMAIL_BYTES_MAX: usize = 254;

/// Checks passwords. Cloning shares everything.
#[derive(Clone)]
pub struct Login {
    accounts: Arc<dyn Accounts>,
    pool: PasswordPool,
    /// What the password of a stranger is checked against, so that "nobody" takes as long as "wrong".
    nobody: Arc<OnceCell<PasswordHash>>,
}

/// Why somebody is not logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Unknown e-mail or wrong password; which one is not told.
    #[error("e-mail or password wrong")]
    Refused,
    /// Too many logins at once: come back.
    #[error("too many logins at once")]
    Busy,
    /// The accounts cannot be reached, or hashing failed.
    #[error("login not possible: {0}")]
    Unavailable(String),
}

impl Login {
    /// Checks against these accounts.
    #[must_use]
    pub fn new(accounts: Arc<dyn Accounts>, pool: PasswordPool) -> Self {
        Self {
            accounts,
            pool,
            nobody: Arc::new(OnceCell::new()),
        }
    }

    /// Who this is.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn check(
        &self,
        email: &str,
        password: SecretString,
    ) -> Result<CustomerId, LoginError> {
        if email.len() > EMAIL_BYTES_MAX {
            return Err(LoginError::Refused);
        }
        let found = self
            .accounts
            .find(&normalised(email))
            .await
            .map_err(|error| match error {
                AccountsError::Unavailable(reason) => LoginError::Unavailable(reason),
                AccountsError::Password(error) => refused(error),
            })?;
        let (hash, customer) = match found {
            Some(account) => (account.password, Some(account.customer)),
            None => (self.nobody().await?, None),
        };
        let fits = self.pool.verify(password, hash).await.map_err(refused)?;
        match customer {
            Some(customer) if fits => Ok(customer),
            _ => Err(LoginError::Refused),
        }
    }

    async fn nobody(&self) -> Result<PasswordHash, LoginError> {
        self.nobody
            .get_or_try_init(|| self.pool.hash("nobody has this password".into()))
            .await
            .cloned()
            .map_err(refused)
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// One person has one spelling. Lower case over the whole address: no provider of note tells `Ann@` from `ann@`.
pub(crate) fn normalised(email: &str) -> String {
    email.trim().to_lowercase()
}

fn refused(error: PasswordError) -> LoginError {
    match error {
        PasswordError::Busy => LoginError::Busy,
        // Nobody can have such a password.
        PasswordError::TooLong => LoginError::Refused,
        PasswordError::Failed => LoginError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;
    use crate::accounts::{Account, SeededAccounts};

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    fn login() -> Login {
        let pool = PasswordPool::cheap_for_tests().unwrap();
        let list = format!("ann@example.test:secret:{ID}").into();
        Login::new(
            Arc::new(SeededAccounts::parse(&list, pool.clone()).unwrap()),
            pool,
        )
    }

    #[tokio::test]
    async fn the_right_password_names_the_customer_in_any_spelling_of_the_email() {
        let customer = login()
            .check(" Ann@Example.TEST ", "secret".into())
            .await
            .unwrap();
        assert_eq!(customer.to_string(), ID);
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_email_get_the_same_answer() {
        let login = login();
        let wrong = login.check("ann@example.test", "guess".into()).await;
        let unknown = login.check("eve@example.test", "guess".into()).await;
        let stranger = login
            .check("eve@example.test", "nobody has this password".into())
            .await;
        assert_eq!(wrong, Err(LoginError::Refused));
        assert_eq!(unknown, wrong);
        assert_eq!(stranger, wrong);
    }

    #[tokio::test]
    async fn unreachable_accounts_are_not_a_refusal() {
        struct Down;
        impl Accounts for Down {
            fn find<'a>(
                &'a self,
                _: &'a str,
            ) -> BoxFuture<'a, Result<Option<Account>, AccountsError>> {
                Box::pin(async { Err(AccountsError::Unavailable("down".to_owned())) })
            }
        }
        let login = Login::new(Arc::new(Down), PasswordPool::cheap_for_tests().unwrap());
        let answer = login.check("ann@example.test", "secret".into()).await;
        assert!(
            matches!(answer, Err(LoginError::Unavailable(_))),
            "{answer:?}"
        );
    }
}
