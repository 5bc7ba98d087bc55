//! Who this process is to the others, and whom it believes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use shopapi_auth::service_token::{ServiceKeyError, ServiceTokens, ServiceVerifier};
use shopapi_tls::{Identity, IdentityFiles, TlsError};

/// Why a process has no identity. Names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Certificate, key or CA.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A key of service tokens.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// A certificate of somebody else.
    #[error("{} names {found}, but this process is {wanted}; point it to the directory of {wanted}", .dir.display())]
    OtherService {
        /// Where the files are.
        dir: PathBuf,
        /// Who this is.
        wanted: String,
        /// Whose certificate it is.
        found: String,
    },
    /// Its tokens would be believed by nobody.
    #[error("{} has no public half for {service} in {}; publish it as {service}.pem", .key.display(), .directory.display())]
    Unpublished {
        /// Whose key.
        service: String,
        /// The private key.
        key: PathBuf,
        /// The directory of public keys.
        directory: PathBuf,
    },
}

/// Who this process is: its certificate, and the key that signs its tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Credentials {
    identity: Identity,
    tokens: ServiceTokens,
}

impl Credentials {
    /// Reads `tls.crt`, `tls.key` and `ca.crt` of a directory and the key of service tokens. The certificate must name `service`.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn load(service: &str, tls_dir: &Path, service_key: &Path) -> Result<Self, TrustError> {
        let identity = Identity::load(IdentityFiles::in_dir(tls_dir))?;
        let found = identity.name();
        if &*found != service {
            return Err(TrustError::OtherService {
                dir: tls_dir.to_owned(),
                wanted: service.to_owned(),
                found: found.to_string(),
            });
        }
        let tokens = ServiceTokens::load(service, service_key.to_owned())?;
        Ok(Self { identity, tokens })
    }

    /// As [`load`](Self::load), from a set that has a directory for everybody: `<set>/<service>/tls.crt`, `…/jwt.key`, and so on.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn in_set(service: &str, set: &Path) -> Result<Self, TrustError> {
        let dir = set.join(service);
        Self::load(service, &dir, &dir.join("jwt.key"))
    }

    /// The certificate, for other links: NATS, telemetry.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The signer, for calls that do not go through [`Balanced`](crate::Balanced).
    #[must_use]
    pub fn tokens(&self) -> &ServiceTokens {
        &self.tokens
    }

    /// What calls to `callee` need.
    #[must_use]
    pub fn towards(&self, callee: &'static str) -> ClientTrust {
        ClientTrust {
            identity: self.identity.clone(),
            tokens: self.tokens.clone(),
            callee,
        }
    }

    /// Follows the files for ever. A server does this by itself; a command that stays has to.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let (identity, tokens) = (self.identity.watch(), self.tokens.watch());
        async move {
            tokio::join!(identity, tokens);
        }
    }
}

/// The trust of a service that calls and is called. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust {
    credentials: Credentials,
    callers: ServiceVerifier,
}

impl Trust {
    /// As [`Credentials::load`], with the directory of all services' public keys. The own one must be among them.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn load(
        service: &str,
        tls_dir: &Path,
        service_key: &Path,
        public_keys: &Path,
    ) -> Result<Self, TrustError> {
        let credentials = Credentials::load(service, tls_dir, service_key)?;
        let callers = ServiceVerifier::load(service, public_keys.to_owned())?;
        let now_s = now_s();
        let own = credentials.tokens.for_callee(service, now_s);
        if own.and_then(|token| callers.verify(&token, now_s)).is_err() {
            return Err(TrustError::Unpublished {
                service: service.to_owned(),
                key: service_key.to_owned(),
                directory: public_keys.to_owned(),
            });
        }
        Ok(Self {
            credentials,
            callers,
        })
    }

    /// As [`load`](Self::load), from a set that has a directory for everybody, and `<set>/jwt-public`.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn in_set(service: &str, set: &Path) -> Result<Self, TrustError> {
        let dir = set.join(service);
        Self::load(service, &dir, &dir.join("jwt.key"), &set.join("jwt-public"))
    }

    /// Who this is to others.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The certificate.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.credentials.identity
    }

    /// What calls to `callee` need.
    #[must_use]
    pub fn towards(&self, callee: &'static str) -> ClientTrust {
        self.credentials.towards(callee)
    }

    pub(crate) fn callers(&self) -> &ServiceVerifier {
        &self.callers
    }

    /// Follows all files for ever; [`serve`](crate::server::serve) does it by itself.
    pub(crate) fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let (own, callers) = (self.credentials.watch(), self.callers.watch());
        async move {
            tokio::join!(own, callers);
        }
    }
}

/// What calls to one callee need.
#[derive(Clone, Debug)]
pub struct ClientTrust {
    pub(crate) identity: Identity,
    tokens: ServiceTokens,
    callee: &'static str,
}

impl ClientTrust {
    /// The only service that is spoken to.
    pub(crate) fn callee(&self) -> &'static str {
        self.callee
    }

    /// A token for the callee, good for now.
    pub(crate) fn token(&self) -> Option<Arc<str>> {
        self.tokens.for_callee(self.callee, now_s()).ok()
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
