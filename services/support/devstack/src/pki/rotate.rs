//! Replacing what is still valid, step by step, the way an operator does it under load.
//!
//! ```text
//! authority   start_ca_rotation (trust old + new, new signs) ─► renew_leaves ─► finish_ca_rotation (trust new only)
//! leaf        renew_leaf
//! signing key announce_jwt_key (public half of the next key) ─► switch_jwt_key ─► retire_jwt_key
//! ```
//!
//! Between two steps the caller waits until every process has read the files again.

use std::path::Path;

use super::files;
use super::issue::{authority, jwt_key, public_half};
use super::{IDENTITIES, Pki};
use crate::error::Error;

impl Pki {
    /// A new key and certificate for one identity, valid as long as the first.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Step`].
    pub fn renew_leaf(&self, identity: &str) -> Result<(), Error> {
        self.issue_leaf(identity)
    }

    /// New keys and certificates for everybody, by the authority that signs at present.
    ///
    /// # Errors
    /// As [`renew_leaf`](Self::renew_leaf).
    pub fn renew_leaves(&self) -> Result<(), Error> {
        IDENTITIES.iter().try_for_each(|name| self.issue_leaf(name))
    }

    /// First step of a new authority: everybody's bundle holds the old and the new one. No certificate changes.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Step`].
    pub fn start_ca_rotation(&self) -> Result<(), Error> {
        let old = files::certificates(&files::read(&self.ca_file())?.unwrap_or_default());
        let bundle = self.set_authority(&authority()?, &old.iter().collect::<Vec<_>>())?;
        self.hand_out(&bundle)
    }

    /// Last step of a new authority, after [`renew_leaves`](Self::renew_leaves): only the one that signs is trusted.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Step`].
    pub fn finish_ca_rotation(&self) -> Result<(), Error> {
        let known = files::certificates(&files::read(&self.ca_file())?.unwrap_or_default());
        let key = files::read(&self.ca_key_file())?.unwrap_or_default();
        let bundle = self.signing(&known, &key)?.pem;
        files::write(&self.ca_file(), &bundle)?;
        self.hand_out(&bundle)
    }

    fn hand_out(&self, bundle: &str) -> Result<(), Error> {
        IDENTITIES
            .iter()
            .try_for_each(|name| files::write(&self.dir_of(name).join("ca.crt"), bundle))
    }

    /// A new signing key for a service at once; tokens of the old one are accepted until [`retire_jwt_key`](Self::retire_jwt_key).
    /// Callees that have not read the new public half yet refuse its tokens: under load, announce first.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Step`].
    pub fn new_jwt_key(&self, service: &str) -> Result<(), Error> {
        self.announce_jwt_key(service)?;
        self.switch_jwt_key(service)
    }

    /// Makes a service's next signing key and publishes its public half; tokens are signed by the old one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Step`].
    pub fn announce_jwt_key(&self, service: &str) -> Result<(), Error> {
        let next = jwt_key()?;
        files::write(&self.next_jwt_key(service), &next)?;
        files::write(&self.public_key(service, ".next"), &public_half(&next)?)
    }

    /// Signs with the announced key; the old public half stays.
    ///
    /// # Errors
    /// [`Error::Io`] when nothing was announced.
    pub fn switch_jwt_key(&self, service: &str) -> Result<(), Error> {
        let old = files::read(&self.public_key(service, ""))?.unwrap_or_default();
        files::write(&self.public_key(service, ".previous"), &old)?;
        rename(
            &self.public_key(service, ".next"),
            &self.public_key(service, ""),
        )?;
        rename(&self.next_jwt_key(service), &self.jwt_key(service))
    }

    /// Takes back the public half of the key before this one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn retire_jwt_key(&self, service: &str) -> Result<(), Error> {
        let file = self.public_key(service, ".previous");
        std::fs::remove_file(&file).map_err(Error::io(format!("removing {}", file.display())))
    }

    fn next_jwt_key(&self, service: &str) -> std::path::PathBuf {
        self.dir_of(service).join("jwt.next.key")
    }

    fn public_key(&self, service: &str, which: &str) -> std::path::PathBuf {
        self.public_keys().join(format!("{service}{which}.pem"))
    }

    /// A whole set by an authority that nobody trusts, in a directory of its own: for tests of refusals.
    ///
    /// # Errors
    /// As [`load_or_create`](Self::load_or_create).
    pub fn foreign_ca(&self, dir: &Path) -> Result<Self, Error> {
        Self::with_life(dir, self.leaf_life)
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(Error::io(format!(
        "renaming {} to {}",
        from.display(),
        to.display()
    )))
}
