//! Ed25519 keys in files, and the names they go by.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonwebtoken::{DecodingKey, EncodingKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use sha2::{Digest as _, Sha256};
use shopapi_watched::{Contents, Unreadable};

/// What an Ed25519 public key in X.509's form begins with (RFC 8410); 32 bytes follow.
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// Bytes of the hash in a `kid`: enough to tell a handful of keys apart.
const KID_BYTES: usize = 8;

/// Why a service's key is not used. Names the file, never its contents.
#[derive(Debug, thiserror::Error)]
pub enum ServiceKeyError {
    /// A file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Not the PEM of an Ed25519 key.
    #[error("{} holds no Ed25519 {wanted} key in PEM; make it again (scripts/gen-certs.sh)", .path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
        /// `private` or `public`.
        wanted: &'static str,
    },
    /// The file's name does not say whose key it is.
    #[error("{} must be named <service>.pem or <service>.<anything>.pem", .0.display())]
    NoService(PathBuf),
    /// One key under two services' names.
    #[error("{} holds a key that also stands under another service's name; remove one", .0.display())]
    Shared(PathBuf),
    /// There are no keys at all.
    #[error("the directory of public keys holds no *.pem: nobody could call this service")]
    Empty,
}

/// The key that signs.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) key: EncodingKey,
}

/// A key that is believed, and for whom it speaks.
pub(super) struct PublicKey {
    pub(super) service: Arc<str>,
    pub(super) key: DecodingKey,
}

/// Every key that is believed, by `kid`.
pub(super) type PublicKeys = HashMap<String, PublicKey>;

pub(super) fn signing_key(contents: &[Contents]) -> Result<SigningKey, ServiceKeyError> {
    let file = contents.first().ok_or(ServiceKeyError::Empty)?;
    let none = || ServiceKeyError::NoKey {
        path: file.path.clone(),
        wanted: "private",
    };
    let private = PrivateKeyDer::from_pem_slice(&file.bytes).map_err(|_| none())?;
    let public = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(match &private {
        PrivateKeyDer::Pkcs8(pkcs8) => pkcs8,
        _ => return Err(none()),
    })
    .ok()
    .and_then(|key| Some(key.public_key()?.to_vec()))
    .ok_or_else(none)?;
    let key = EncodingKey::from_ed_pem(&file.bytes).map_err(|_| none())?;
    Ok(SigningKey {
        kid: kid_of(&public),
        key,
    })
}

pub(super) fn public_keys(contents: &[Contents]) -> Result<PublicKeys, ServiceKeyError> {
    let mut keys = PublicKeys::new();
    for file in contents {
        let service = service_of(&file.path)?;
        let none = || ServiceKeyError::NoKey {
            path: file.path.clone(),
            wanted: "public",
        };
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(&file.bytes).map_err(|_| none())?;
        if !spki.starts_with(&ED25519_SPKI) || spki.len() != ED25519_SPKI.len() + 32 {
            return Err(none());
        }
        let key = DecodingKey::from_ed_pem(&file.bytes).map_err(|_| none())?;
        let before = keys.insert(
            kid_of(&spki),
            PublicKey {
                service: Arc::clone(&service),
                key,
            },
        );
        // The same key twice under one name is a rotation half-way.
        if before.is_some_and(|before| before.service != service) {
            return Err(ServiceKeyError::Shared(file.path.clone()));
        }
    }
    if keys.is_empty() {
        return Err(ServiceKeyError::Empty);
    }
    Ok(keys)
}

/// `orders` of `orders.pem` and of `orders.next.pem`.
fn service_of(path: &Path) -> Result<Arc<str>, ServiceKeyError> {
    let name = path.file_name().and_then(|name| name.to_str());
    match name.and_then(|name| name.split('.').next()) {
        Some(service) if !service.is_empty() => Ok(service.into()),
        _ => Err(ServiceKeyError::NoService(path.to_owned())),
    }
}

/// Derived from the key, so the two cannot be mixed up.
fn kid_of(spki: &[u8]) -> String {
    use std::fmt::Write as _;
    let hash = Sha256::digest(spki);
    let mut kid = String::with_capacity(2 * KID_BYTES);
    for byte in hash.iter().take(KID_BYTES) {
        // Writing to a String does not fail.
        let _ = write!(kid, "{byte:02x}");
    }
    kid
}
