//! The callee's half.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use shopapi_watched::{Look, Place, Watched};

use super::claims::{
    Claims, SERVICE_TOKEN_BYTES_MAX, ServiceTokenError, check, kid, refusal, signature_only,
};
use super::keys::{PublicKeys, ServiceKeyError, public_keys};

/// Verified tokens that are remembered: four callers renew theirs once in forty seconds, so this holds hundreds of replicas.
const REMEMBERED_MAX: usize = 1024;

/// Verifies the tokens of a callee's callers. Follows the keys once [`ServiceVerifier::watch`] runs. Cheap to clone.
#[derive(Clone)]
pub struct ServiceVerifier(Arc<Shared>);

struct Shared {
    audience: Arc<str>,
    keys: Watched<PublicKeys, ServiceKeyError>,
    verified: RwLock<HashMap<Box<str>, Verified>>,
}

struct Verified {
    service: Arc<str>,
    /// Its key must still be believed.
    kid: String,
    exp: u64,
}

impl ServiceVerifier {
    /// Verifies tokens made for `audience` with the public keys (Ed25519, SPKI PEM) in this directory: `<service>.pem`, and `<service>.<anything>.pem`
    /// while one key replaces another.
    ///
    /// # Errors
    /// [`ServiceKeyError`] names the file.
    pub fn load(audience: &str, directory: PathBuf) -> Result<Self, ServiceKeyError> {
        let place = Place::Directory {
            path: directory,
            extension: "pem",
        };
        Ok(Self(Arc::new(Shared {
            audience: audience.into(),
            keys: Watched::load("public keys of services", vec![place], public_keys)?,
            verified: RwLock::default(),
        })))
    }

    /// Follows the directory for ever.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.keys.clone().watch()
    }

    /// Looks at the directory now.
    #[must_use]
    pub fn look(&self) -> Look<ServiceKeyError> {
        self.0.keys.look()
    }

    /// The service that a token speaks for, at `now_s` (seconds since the Unix epoch). A token that was verified before costs a look-up.
    ///
    /// # Errors
    /// [`ServiceTokenError`] names the first thing that is wrong.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Arc<str>, ServiceTokenError> {
        if token.len() > SERVICE_TOKEN_BYTES_MAX {
            return Err(ServiceTokenError::TooLong);
        }
        let keys = self.0.keys.get();
        if let Some(service) = self.remembered(token, &keys, now_s) {
            return Ok(service);
        }
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| ServiceTokenError::Malformed)?;
        let kid = kid(&header)?;
        let known = keys.get(kid).ok_or(ServiceTokenError::UnknownKey)?;
        let validation = signature_only(&self.0.audience);
        let claims = jsonwebtoken::decode::<Claims>(token, &known.key, &validation)
            .map_err(|error| refusal(&error))?
            .claims;
        check(&claims, &known.service, &self.0.audience, now_s)?;
        self.remember(
            token,
            now_s,
            Verified {
                service: Arc::clone(&known.service),
                kid: kid.to_owned(),
                exp: claims.exp,
            },
        );
        Ok(Arc::clone(&known.service))
    }

    fn remembered(&self, token: &str, keys: &PublicKeys, now_s: u64) -> Option<Arc<str>> {
        let verified = self
            .0
            .verified
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let known = verified.get(token)?;
        let is_good = now_s < known.exp && keys.contains_key(&known.kid);
        is_good.then(|| Arc::clone(&known.service))
    }

    fn remember(&self, token: &str, now_s: u64, seen: Verified) {
        let mut verified = self
            .0
            .verified
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED_MAX {
            verified.retain(|_, known| now_s < known.exp);
        }
        // Full of living tokens: forgetting costs one signature check each.
        if verified.len() >= REMEMBERED_MAX {
            verified.clear();
        }
        verified.insert(token.into(), seen);
    }

    #[cfg(test)]
    pub(super) fn remembered_count(&self) -> usize {
        self.0.verified.read().unwrap().len()
    }
}

impl fmt::Debug for ServiceVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceVerifier")
            .field("audience", &self.0.audience)
            .finish_non_exhaustive()
    }
}
