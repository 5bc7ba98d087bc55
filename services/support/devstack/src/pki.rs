//! The keys and certificates of a stack: one certificate authority, one identity per service and server, one signing key per
//! service. The same set as `scripts/gen-certs.sh` makes with openssl; `tests/pki.rs` holds both against one description.
//!
//! ```text
//! <dir>/ca.crt  ca.key                       the authority; ca.crt holds two of them during a rotation
//! <dir>/<identity>/tls.crt tls.key ca.crt    one per gateway, orders, inventory, payments, shopctl, nats, postgres
//! <dir>/<service>/jwt.key                    Ed25519, signs the service's tokens
//! <dir>/jwt-public/<service>.pem             its public half; <service>.<anything>.pem beside it during a rotation
//! ```
//!
//! **Invariants.** What is valid is never touched: a second run writes no file. A certificate is renewed when less than a third of its
//! life is left, when its key does not fit, or when its names are not those wanted. Files are 0600 and directories 0700. Each file is
//! replaced as a whole, so a reader sees the old one or the new one.
//!
//! **After a crash** half-way the next [`Pki::load_or_create`] makes what is missing.

mod files;
mod issue;
mod names;
mod rotate;

use std::path::{Path, PathBuf};
use std::time::Duration;

use shopapi_tls::{Identity, IdentityFiles};

use crate::error::Error;
use crate::state::make_dir;

pub use names::{ClusterNames, IDENTITIES, JWT_SERVICES, spiffe_id};

/// Mode of the directories.
const DIR_MODE: u32 = 0o700;
/// A stack that is started at least every eight months never meets an expired certificate.
const LEAF_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The keys and certificates in one directory.
#[derive(Debug, Clone)]
pub struct Pki {
    dir: PathBuf,
    names: ClusterNames,
    leaf_life: Duration,
}

impl Pki {
    /// Opens the set in `dir`, makes what is missing and renews what is near its end.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Step`] when the authority's key is missing or does not fit its certificate.
    pub fn load_or_create(dir: &Path) -> Result<Self, Error> {
        Self::with_life(dir, LEAF_LIFE)
    }

    /// As [`load_or_create`](Self::load_or_create), with certificates that live this long: for tests of what happens at the end.
    ///
    /// # Errors
    /// As [`load_or_create`](Self::load_or_create).
    pub fn with_life(dir: &Path, leaf_life: Duration) -> Result<Self, Error> {
        Self::with_names(dir, leaf_life, ClusterNames::default())
    }

    /// As [`with_life`](Self::with_life), for a cluster that calls the services otherwise.
    ///
    /// # Errors
    /// As [`load_or_create`](Self::load_or_create).
    pub fn with_names(dir: &Path, leaf_life: Duration, names: ClusterNames) -> Result<Self, Error> {
        let pki = Self {
            dir: dir.to_owned(),
            names,
            leaf_life,
        };
        make_dir(dir, DIR_MODE)?;
        let bundle = pki.ensure_authority()?;
        for identity in IDENTITIES {
            pki.ensure_leaf(identity, &bundle)?;
        }
        make_dir(&pki.public_keys(), DIR_MODE)?;
        for service in JWT_SERVICES {
            pki.ensure_jwt_key(service)?;
        }
        Ok(pki)
    }

    /// Where everything is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of one identity: `tls.crt`, `tls.key`, `ca.crt`.
    #[must_use]
    pub fn dir_of(&self, identity: &str) -> PathBuf {
        self.dir.join(identity)
    }

    /// The bundle of trusted authorities.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The key that signs a service's tokens.
    #[must_use]
    pub fn jwt_key(&self, service: &str) -> PathBuf {
        self.dir_of(service).join("jwt.key")
    }

    /// The directory of all services' public keys.
    #[must_use]
    pub fn public_keys(&self) -> PathBuf {
        self.dir.join("jwt-public")
    }

    /// One identity, read and checked.
    ///
    /// # Errors
    /// [`Error::Step`] when its files cannot be used.
    pub fn identity(&self, name: &str) -> Result<Identity, Error> {
        Identity::load(IdentityFiles::in_dir(&self.dir_of(name)))
            .map_err(|error| Error::Step(error.to_string()))
    }

    fn ca_key_file(&self) -> PathBuf {
        self.dir.join("ca.key")
    }
}
