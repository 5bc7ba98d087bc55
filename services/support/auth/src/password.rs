//! argon2id, a few at a time.
//!
//! One hash takes tens of milliseconds and 19 MiB on purpose, so logins are the cheapest way to exhaust a gateway. The pool bounds how
//! many run at once and how many wait; the next one is told to come back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// Shortest password of a new account (NIST SP 800-63B).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password of a new account: far beyond any passphrase.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Longest password that is hashed: as many characters of the longest kind, short enough to be no load of its own.
pub const PASSWORD_BYTES_MAX: usize = 4 * PASSWORD_CHARS_MAX;
/// Hashes at once. Two keep two cores busy and 38 MiB; more would only make each of them later.
const CONCURRENT_MAX: usize = 2;
/// Logins that may wait for their turn: at about 30 ms each the last one waits half a second.
const WAITING_MAX: usize = 32;
/// Memory, passes and lanes as OWASP recommends for argon2id (19 MiB, 2, 1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A password's hash in PHC form (`$argon2id$…`). `Debug` leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a stored hash; only argon2id ones, so that a weaker one cannot be planted.
    #[must_use]
    pub fn from_stored(phc: String) -> Option<Self> {
        let parsed = Phc::new(&phc).ok()?;
        (parsed.algorithm.as_str() == "argon2id" && parsed.hash.is_some()).then_some(Self(phc))
    }

    /// For storing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Not a password that an account can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters; any character counts, spaces too"
)]
pub struct InvalidPassword;

/// May a new account have this password? Nothing but its length is asked for: rules about kinds of characters make passwords worse.
///
/// # Errors
/// [`InvalidPassword`].
pub(crate) fn check_new(password: &str) -> Result<(), InvalidPassword> {
    let fits = password.len() <= PASSWORD_BYTES_MAX
        && (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count());
    fits.then_some(()).ok_or(InvalidPassword)
}

/// Why a password was not hashed or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// As many logins wait as may wait.
    #[error("too many logins at once")]
    Busy,
    /// Longer than [`PASSWORD_BYTES_MAX`].
    #[error("password longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// The hash function failed; only a lack of memory leads here.
    #[error("password could not be hashed")]
    Failed,
}

/// Runs argon2id beside the runtime's own threads, boundedly.
#[derive(Clone)]
pub struct PasswordPool {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
    argon2: Argon2<'static>,
    runs: Arc<AtomicU64>,
}

impl PasswordPool {
    /// A pool with the production cost.
    ///
    /// # Errors
    /// [`PasswordError::Failed`] when the library refuses the cost parameters.
    pub fn new() -> Result<Self, PasswordError> {
        Self::with_cost(MEMORY_KIB, PASSES)
    }

    fn with_cost(memory_kib: u32, passes: u32) -> Result<Self, PasswordError> {
        let params =
            Params::new(memory_kib, passes, LANES, None).map_err(|_| PasswordError::Failed)?;
        Ok(Self {
            running: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            places: Arc::new(Semaphore::new(CONCURRENT_MAX + WAITING_MAX)),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            runs: Arc::default(),
        })
    }

    /// How often the hash function has run: what a login costs, counted instead of timed.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// A pool whose hashes cost next to nothing, for tests of other crates' logins.
    #[doc(hidden)]
    pub fn cheap_for_tests() -> Result<Self, PasswordError> {
        Self::with_cost(Params::MIN_M_COST, 1)
    }

    /// Hashes with a fresh random salt.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn hash(&self, password: SecretString) -> Result<PasswordHash, PasswordError> {
        let argon2 = self.argon2.clone();
        self.run(password, move |password| {
            argon2
                .hash_password(password)
                .map(|hash| PasswordHash(hash.to_string()))
                .map_err(|_| PasswordError::Failed)
        })
        .await
    }

    /// Whether this is the password of that hash. The cost comes from the hash.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub async fn verify(
        &self,
        password: SecretString,
        hash: PasswordHash,
    ) -> Result<bool, PasswordError> {
        let argon2 = self.argon2.clone();
        self.run(password, move |password| {
            let parsed = Phc::new(&hash.0).map_err(|_| PasswordError::Failed)?;
            Ok(argon2.verify_password(password, &parsed).is_ok())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        password: SecretString,
        work: impl FnOnce(&[u8]) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        if password.expose_secret().len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let turn: OwnedSemaphorePermit = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Failed)?;
        // Both permits travel with the work: a caller who hangs up does not make room before the work is done.
        let runs = Arc::clone(&self.runs);
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by the two semaphores above"
        )]
        let hashing = tokio::task::spawn_blocking(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            let result = work(password.expose_secret().as_bytes());
            drop((turn, place));
            result
        });
        hashing.await.unwrap_or_else(|_panicked| {
            // A panic's text may quote the password; the panic hook tells the place.
            warn!("password hashing ended without a result");
            Err(PasswordError::Failed)
        })
    }
}

impl fmt::Debug for PasswordPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordPool")
            .field("idle", &self.running.available_permits())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> PasswordPool {
        PasswordPool::cheap_for_tests().unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let hash = pool().hash("right".into()).await.unwrap();

        assert_eq!(pool().verify("right".into(), hash.clone()).await, Ok(true));
        assert_eq!(pool().verify("wrong".into(), hash.clone()).await, Ok(false));
        assert_eq!(
            pool().verify(SecretString::default(), hash).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn the_production_cost_is_argon2id_with_19_mib() {
        let hash = PasswordPool::new()
            .unwrap()
            .hash("right".into())
            .await
            .unwrap();
        assert!(
            hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            hash.as_str()
        );
        assert_eq!(
            PasswordHash::from_stored(hash.as_str().to_owned()),
            Some(hash)
        );
    }

    #[tokio::test]
    async fn a_password_without_end_is_not_hashed() {
        let pool = pool();
        let endless = "a".repeat(PASSWORD_BYTES_MAX + 1);
        assert_eq!(pool.hash(endless.into()).await, Err(PasswordError::TooLong));
        assert_eq!(pool.runs(), 0);
    }

    #[test]
    fn a_new_password_has_8_to_128_characters_of_any_kind() {
        for fits in [
            "12345678",
            "        ",
            "pässwörd",
            &"a".repeat(128),
            &"😀".repeat(128),
        ] {
            assert_eq!(check_new(fits), Ok(()), "{fits}");
        }
        for refused in ["", "1234567", "😀😀😀", &"a".repeat(129), &"😀".repeat(129)] {
            assert_eq!(check_new(refused), Err(InvalidPassword), "{refused}");
        }
    }

    #[tokio::test]
    async fn hashing_and_checking_cost_one_run_each() {
        let pool = pool();
        let hash = pool.hash("right".into()).await.unwrap();
        assert_eq!(pool.runs(), 1);
        let _ = pool.verify("wrong".into(), hash).await;
        assert_eq!(pool.runs(), 2);
    }

    #[tokio::test]
    async fn with_every_place_taken_the_next_login_is_refused_and_later_ones_are_not() {
        let pool = pool();
        let places = u32::try_from(CONCURRENT_MAX + WAITING_MAX).unwrap();
        let taken = Arc::clone(&pool.places)
            .try_acquire_many_owned(places)
            .unwrap();

        assert_eq!(pool.hash("a".into()).await, Err(PasswordError::Busy));

        drop(taken);
        assert!(pool.hash("a".into()).await.is_ok());
    }

    #[test]
    fn a_stored_hash_of_another_kind_is_refused() {
        assert_eq!(PasswordHash::from_stored("plain".to_owned()), None);
        assert_eq!(
            PasswordHash::from_stored("$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ".to_owned()),
            None
        );
        assert_eq!(
            PasswordHash::from_stored("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ".to_owned()),
            None
        );
    }
}
