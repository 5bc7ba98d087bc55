//! E-mail addresses in the one spelling that is stored and compared.

use std::fmt;

/// Longest address that SMTP can carry (RFC 5321, with the brackets left out).
const EMAIL_BYTES_MAX: usize = 254;
/// Longest part before the `@` (RFC 5321).
const LOCAL_BYTES_MAX: usize = 64;

/// An address: trimmed, in lower case, ASCII. `Debug` leaves it out.
///
/// Lower case over the whole of it: no provider of note tells `Ann@` from `ann@`, and two accounts that differ only there would be two
/// people to the database and one to everybody else. Names outside ASCII come as punycode, so that look-alikes stay apart.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Not an address that can have an account. The text says what to change and never repeats the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an address such as ann@example.com: at most {EMAIL_BYTES_MAX} characters, {LOCAL_BYTES_MAX} before the one `@`, only ASCII without spaces"
)]
pub struct InvalidEmail;

impl Email {
    /// Takes an address as people type it.
    ///
    /// # Errors
    /// [`InvalidEmail`].
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        // A cheap bound before any work on it.
        if text.len() > 2 * EMAIL_BYTES_MAX {
            return Err(InvalidEmail);
        }
        let address = text.trim().to_ascii_lowercase();
        let (local, domain) = address.split_once('@').ok_or(InvalidEmail)?;
        let fits = address.len() <= EMAIL_BYTES_MAX
            && (1..=LOCAL_BYTES_MAX).contains(&local.len())
            && local.bytes().all(is_local)
            && domain.split('.').all(is_label);
        if fits {
            Ok(Self(address))
        } else {
            Err(InvalidEmail)
        }
    }

    /// For storing and comparing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// Printable ASCII but what only a quoted local part may hold; nobody has had one for decades.
fn is_local(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"@\"(),:;<>[\\]".contains(&byte)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_person_has_one_spelling() {
        let email = Email::parse("  Ann.Lee+Shop@Example.COM\n").unwrap();
        assert_eq!(email.as_str(), "ann.lee+shop@example.com");
        assert_eq!(Email::parse("ann.lee+shop@example.com"), Ok(email));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.com", "b.".repeat(130));
        for text in [
            "",
            " ",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "a b@example.com",
            "ann@exa mple.com",
            "ann@@example.com",
            "ann@example..com",
            "ann@.com",
            "ann@-a.com",
            "ann@a-.com",
            "ann@example.com\0",
            "änn@example.com",
            "ann@exämple.com",
            "ann,bob@example.com",
            "<ann@example.com>",
            "ann@[127.0.0.1]",
            "ann@example.com\nbcc: x",
            &long_local,
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(64))).is_ok());
    }

    #[test]
    fn no_rendering_shows_an_address() {
        let email = Email::parse("ann@example.com").unwrap();
        assert!(!format!("{email:?}").contains("ann"));
        assert!(!InvalidEmail.to_string().contains("ann@example.com\0"));
    }

    proptest! {
        #[test]
        fn what_is_taken_is_taken_again_as_it_is(text in "\\PC{0,80}@?\\PC{0,80}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                prop_assert!(email.as_str().is_ascii() && email.as_str().len() <= EMAIL_BYTES_MAX);
            }
        }
    }
}
