//! The keys of users' tokens, which may be replaced while the process runs.
//!
//! A rotation over several replicas takes three steps, each a change of the two files (or of the secret they are mounted from): the new key
//! as *previous*, so that every replica believes it; then the new one as *current* and the old one as *previous*; and, after the longest
//! lifetime of a token, *previous* away. No token is refused on the way. Whoever replaces *current* alone ends every token at once, which is
//! what a leaked key needs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret as _, SecretString};
use shopapi_watched::{Contents, Look, Place, Unreadable, Watched};

use super::{UserKey, UserKeyError};

/// The key that signs, and every key that is believed.
pub struct KeyRing {
    pub(super) signing: EncodingKey,
    pub(super) signing_kid: String,
    /// By `kid`; the signing one first.
    pub(super) verifying: Vec<(String, DecodingKey)>,
}

impl KeyRing {
    /// Signs with `current`; believes `current` and `retiring`.
    #[must_use]
    pub fn new(current: &UserKey, retiring: Option<&UserKey>) -> Self {
        let bytes = |key: &UserKey| key.secret.expose_secret().as_bytes().to_vec();
        Self {
            signing: EncodingKey::from_secret(&bytes(current)),
            signing_kid: current.kid.clone(),
            verifying: std::iter::once(current)
                .chain(retiring)
                .map(|key| (key.kid.clone(), DecodingKey::from_secret(&bytes(key))))
                .collect(),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let believed: Vec<_> = self.verifying.iter().map(|(kid, _)| kid).collect();
        f.debug_struct("KeyRing")
            .field("signing", &self.signing_kid)
            .field("believed", &believed)
            .finish_non_exhaustive()
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub enum UserSecret {
    /// Given once; stays until the process ends.
    Value(SecretString),
    /// Read from this file, again whenever it changes. White space around it does not count.
    File(PathBuf),
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum UserKeysError {
    /// A file is not there or not ours to read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A secret is no text.
    #[error("is not text: use for example the output of `openssl rand -hex 32`")]
    NotText,
    /// A secret is too short.
    #[error(transparent)]
    Key(#[from] UserKeyError),
    /// A secret can be guessed, for this reason.
    #[error("{0}: use for example the output of `openssl rand -hex 32`")]
    Guessable(&'static str),
}

/// Says why a secret can be guessed.
pub type Guessable = fn(&str) -> Option<&'static str>;

/// The keys as they are at any moment. Cheap to clone; the clones change together.
#[derive(Clone)]
pub struct UserKeys(Keys);

#[derive(Clone)]
enum Keys {
    Fixed(Arc<KeyRing>),
    Files(Watched<KeyRing, UserKeysError>),
}

impl UserKeys {
    /// Keys that stay as they are.
    #[must_use]
    pub fn fixed(ring: KeyRing) -> Self {
        Self(Keys::Fixed(Arc::new(ring)))
    }

    /// Keys from where they are kept; those in files follow them once [`watch`](Self::watch) runs. An empty file of the retiring key is
    /// none. No secret is taken that `guessable` has a reason against, at the start or later.
    ///
    /// # Errors
    /// [`UserKeysError`] when a secret cannot be read or is not one.
    pub fn load(
        current: UserSecret,
        retiring: Option<UserSecret>,
        guessable: Guessable,
    ) -> Result<Self, UserKeysError> {
        let secrets = [Some(current), retiring];
        let places: Vec<Place> = secrets
            .iter()
            .flatten()
            .filter_map(|secret| match secret {
                UserSecret::File(path) => Some(Place::File(path.clone())),
                UserSecret::Value(_) => None,
            })
            .collect();
        if places.is_empty() {
            return Ok(Self::fixed(ring(&secrets, &[], guessable)?));
        }
        let watched = Watched::load("keys of users' tokens", places, move |files| {
            ring(&secrets, files, guessable)
        })?;
        Ok(Self(Keys::Files(watched)))
    }

    /// The keys at this moment.
    #[must_use]
    pub fn now(&self) -> Arc<KeyRing> {
        match &self.0 {
            Keys::Fixed(ring) => Arc::clone(ring),
            Keys::Files(watched) => watched.get(),
        }
    }

    /// Looks at the files now.
    #[must_use]
    pub fn look(&self) -> Look<UserKeysError> {
        match &self.0 {
            Keys::Fixed(_) => Look::Unchanged,
            Keys::Files(watched) => watched.look(),
        }
    }

    /// Follows the files for ever; without files there is nothing to do, for ever.
    pub async fn watch(self) {
        match self.0 {
            Keys::Fixed(_) => std::future::pending().await,
            Keys::Files(watched) => watched.watch().await,
        }
    }
}

impl fmt::Debug for UserKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserKeys").field(&*self.now()).finish()
    }
}

/// The ring of the current and the retiring secret; `files` holds the contents of those that are files, in that order.
fn ring(
    secrets: &[Option<UserSecret>; 2],
    files: &[Contents],
    guessable: Guessable,
) -> Result<KeyRing, UserKeysError> {
    let mut files = files.iter();
    let mut next = |secret: &Option<UserSecret>| -> Result<Option<SecretString>, UserKeysError> {
        match secret {
            None => Ok(None),
            Some(UserSecret::Value(value)) => Ok(Some(value.clone())),
            Some(UserSecret::File(_)) => {
                let bytes = files.next().map_or(&[][..], |file| &file.bytes);
                let text = std::str::from_utf8(bytes).map_err(|_| UserKeysError::NotText)?;
                Ok(Some(text.trim().into()))
            }
        }
    };
    let key = |secret: SecretString| -> Result<UserKey, UserKeysError> {
        let why = guessable(secret.expose_secret());
        let key = UserKey::new(secret)?;
        why.map_or(Ok(key), |why| Err(UserKeysError::Guessable(why)))
    };
    let [current, retiring] = secrets;
    let current = key(next(current)?.unwrap_or_default())?;
    let retiring = next(retiring)?
        .filter(|secret| !secret.expose_secret().is_empty())
        .map(key)
        .transpose()?;
    Ok(KeyRing::new(&current, retiring.as_ref()))
}
