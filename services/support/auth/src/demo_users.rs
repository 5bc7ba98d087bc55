//! The accounts that a development stack is seeded with.

use std::collections::HashSet;

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::CustomerId;
use crate::email::Email;
use crate::password::check_new;

/// An account from the configuration. `Debug` leaves the secrets out.
#[derive(Debug, Clone)]
pub struct DemoUser {
    /// What they log in with.
    pub email: Email,
    /// In the clear, which is why there are none outside development.
    pub password: SecretString,
    /// Their id, the same on every stack.
    pub customer: CustomerId,
}

/// What is wrong with a list of demo users. Positions count from 1; the text repeats neither passwords nor e-mails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DemoUsersError {
    /// An entry does not have three parts.
    #[error("entry {0} is not `email:password:customer-uuid`")]
    Shape(usize),
    /// The third part is no UUID.
    #[error("entry {0}: the customer id is not a UUID")]
    CustomerId(usize),
    /// The first part is no e-mail, or the password could not be registered.
    #[error("entry {0}: the e-mail or the password could not be registered")]
    Credentials(usize),
    /// Two entries for the same e-mail or customer.
    #[error("entry {0} repeats an e-mail or a customer id")]
    Repeated(usize),
}

impl DemoUser {
    /// Parses `email:password:customer-uuid[,…]`. The password may contain colons, not commas.
    ///
    /// # Errors
    /// [`DemoUsersError`] names the entry.
    pub fn parse_list(list: &SecretString) -> Result<Vec<Self>, DemoUsersError> {
        let mut users = Vec::new();
        let mut seen = HashSet::new();
        let entries = list.expose_secret().split(',').map(str::trim);
        for (index, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
            let position = index + 1;
            let (email, rest) = entry
                .split_once(':')
                .ok_or(DemoUsersError::Shape(position))?;
            let (password, id) = rest
                .rsplit_once(':')
                .ok_or(DemoUsersError::Shape(position))?;
            let id = Uuid::try_parse(id).map_err(|_| DemoUsersError::CustomerId(position))?;
            let email = Email::parse(email).map_err(|_| DemoUsersError::Credentials(position))?;
            check_new(password).map_err(|_| DemoUsersError::Credentials(position))?;
            if !seen.insert(email.as_str().to_owned()) || !seen.insert(id.to_string()) {
                return Err(DemoUsersError::Repeated(position));
            }
            users.push(Self {
                email,
                password: password.into(),
                customer: CustomerId(id),
            });
        }
        Ok(users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    fn parse(list: &str) -> Result<Vec<DemoUser>, DemoUsersError> {
        DemoUser::parse_list(&list.into())
    }

    #[test]
    fn users_are_read_and_a_password_may_hold_colons() {
        let other = ID.replace("01", "02");
        let users = parse(&format!(
            "Ann@Example.test:pass:word:{ID}, bob@example.test:12345678:{other}"
        ))
        .unwrap();
        assert_eq!(users[0].email.as_str(), "ann@example.test");
        assert_eq!(users[0].password.expose_secret(), "pass:word");
        assert_eq!(users[1].customer.to_string(), other);
        assert!(!format!("{users:?}").contains("pass:word"));
    }

    #[test]
    fn a_bad_entry_is_named_by_its_position() {
        let good = format!("a@b.c:password:{ID}");
        let error = |list: String| parse(&list).unwrap_err();
        assert_eq!(error(format!("{good},nonsense")), DemoUsersError::Shape(2));
        assert_eq!(error("a@b.c:password".to_owned()), DemoUsersError::Shape(1));
        assert_eq!(
            error("a@b.c:password:17".to_owned()),
            DemoUsersError::CustomerId(1)
        );
        assert_eq!(
            error(format!("ab:password:{ID}")),
            DemoUsersError::Credentials(1)
        );
        assert_eq!(
            error(format!("a@b.c:short:{ID}")),
            DemoUsersError::Credentials(1)
        );
        assert_eq!(
            error(format!("{good},A@B.C:password:{}", ID.replace("01", "02"))),
            DemoUsersError::Repeated(2)
        );
        assert_eq!(
            error(format!("{good},d@b.c:password:{ID}")),
            DemoUsersError::Repeated(2)
        );
    }
}
