//! The caller's half.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::{Algorithm, Header};
use shopapi_watched::{Look, Place, Watched};

use super::claims::{Claims, LIFETIME_MAX_S, SERVICE_ISSUER, ServiceTokenError};
use super::keys::{ServiceKeyError, SigningKey, signing_key};

/// A token is replaced when it has less than this left: a call on its way has that long to arrive, clocks that differ included.
const RENEWED_BEFORE_END_S: u64 = 20;

/// Signs one service's tokens. Follows its key once [`ServiceTokens::watch`] runs. Cheap to clone.
#[derive(Clone)]
pub struct ServiceTokens(Arc<Shared>);

struct Shared {
    service: Arc<str>,
    key: Watched<SigningKey, ServiceKeyError>,
    /// By callee; there is a handful.
    issued: Mutex<HashMap<Arc<str>, Issued>>,
}

struct Issued {
    token: Arc<str>,
    kid: String,
    exp: u64,
}

impl ServiceTokens {
    /// Tokens of `service`, signed with the key (Ed25519, PKCS#8 PEM) in this file.
    ///
    /// # Errors
    /// [`ServiceKeyError`] names the file.
    pub fn load(service: &str, key: PathBuf) -> Result<Self, ServiceKeyError> {
        let places = vec![Place::File(key)];
        Ok(Self(Arc::new(Shared {
            service: service.into(),
            key: Watched::load("key of service tokens", places, signing_key)?,
            issued: Mutex::default(),
        })))
    }

    /// Follows the key's file for ever.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.key.clone().watch()
    }

    /// Looks at the key's file now.
    #[must_use]
    pub fn look(&self) -> Look<ServiceKeyError> {
        self.0.key.look()
    }

    /// A token for this callee, good for a while after `now_s` (seconds since the Unix epoch). The same one is given again until it is near its end or
    /// the key has changed.
    ///
    /// # Errors
    /// [`ServiceTokenError::Signing`] when the crypto library refuses, which no input leads to.
    pub fn for_callee(&self, callee: &str, now_s: u64) -> Result<Arc<str>, ServiceTokenError> {
        let key = self.0.key.get();
        let mut issued = self.0.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = issued.get(callee)
            && known.kid == key.kid
            && now_s.saturating_add(RENEWED_BEFORE_END_S) < known.exp
            // A clock that was set back must not keep a token that starts in its future.
            && known.exp <= now_s.saturating_add(LIFETIME_MAX_S)
        {
            return Ok(Arc::clone(&known.token));
        }
        let exp = now_s.saturating_add(LIFETIME_MAX_S);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(key.kid.clone());
        let claims = Claims {
            iss: SERVICE_ISSUER.to_owned(),
            aud: callee.to_owned(),
            sub: self.0.service.to_string(),
            iat: now_s,
            nbf: now_s,
            exp,
        };
        let token: Arc<str> = jsonwebtoken::encode(&header, &claims, &key.key)
            .map_err(|_| ServiceTokenError::Signing)?
            .into();
        issued.insert(
            callee.into(),
            Issued {
                token: Arc::clone(&token),
                kid: key.kid.clone(),
                exp,
            },
        );
        Ok(token)
    }
}

impl fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceTokens")
            .field("service", &self.0.service)
            .field("kid", &self.0.key.get().kid)
            .finish_non_exhaustive()
    }
}
