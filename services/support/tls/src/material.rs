//! From files to what a handshake needs: parsed, matched and checked as a whole.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::WebPkiServerVerifier;
use rustls::server::ParsedCertificate;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use shopapi_watched::Contents;

use crate::configs::provider;
use crate::error::TlsError;
use crate::names::{Leaf, Peer};

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) peer: Option<Peer>,
    pub(crate) expires_at: SystemTime,
}

/// Whom to trust.
#[derive(Debug)]
pub(crate) struct Roots {
    pub(crate) servers: Arc<WebPkiServerVerifier>,
    pub(crate) clients: Arc<dyn ClientCertVerifier>,
    store: Arc<RootCertStore>,
}

impl Pair {
    pub(crate) fn read(cert: &Contents, key: &Contents, now: SystemTime) -> Result<Self, TlsError> {
        let chain = certificates(cert)?;
        let private = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|_| TlsError::NotPem {
            path: key.path.clone(),
            wanted: "private key",
        })?;
        let private = provider()
            .key_provider
            .load_private_key(private)
            .map_err(|error| unusable(key, &error))?;
        let leaf = chain.first().and_then(Leaf::read);
        let leaf = leaf.ok_or_else(|| TlsError::Unusable {
            path: cert.path.clone(),
            reason: "its first entry is no certificate".to_owned(),
        })?;
        let certified = CertifiedKey::new(chain, private);
        match certified.keys_match() {
            Ok(()) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(TlsError::KeyMismatch {
                    cert: cert.path.clone(),
                    key: key.path.clone(),
                });
            }
            Err(error) => return Err(unusable(key, &error)),
        }
        if now >= leaf.not_after {
            return Err(TlsError::Expired(cert.path.clone()));
        }
        if now < leaf.not_before {
            return Err(TlsError::NotYetValid(cert.path.clone()));
        }
        Ok(Self {
            key: Arc::new(certified),
            peer: leaf.peer,
            expires_at: leaf.not_after,
        })
    }
}

impl Roots {
    pub(crate) fn read(ca: &Contents) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for root in certificates(ca)? {
            store.add(root).map_err(|error| unusable(ca, &error))?;
        }
        let store = Arc::new(store);
        let refused = |error: rustls::client::VerifierBuilderError| TlsError::Unusable {
            path: ca.path.clone(),
            reason: error.to_string(),
        };
        let servers = WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), provider())
            .build()
            .map_err(refused)?;
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&store), provider())
            .build()
            .map_err(refused)?;
        Ok(Self {
            servers,
            clients,
            store,
        })
    }

    /// Would a peer that trusts these roots take this certificate?
    pub(crate) fn vouch_for(
        &self,
        pair: &Pair,
        cert: &Contents,
        ca: &Contents,
        now: SystemTime,
    ) -> Result<(), TlsError> {
        let algorithms = provider().signature_verification_algorithms.all;
        let (leaf, intermediates) = pair.key.cert.split_first().ok_or(TlsError::NotPem {
            path: cert.path.clone(),
            wanted: "certificate",
        })?;
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let checked = ParsedCertificate::try_from(leaf).and_then(|leaf| {
            rustls::client::verify_server_cert_signed_by_trust_anchor(
                &leaf,
                &self.store,
                intermediates,
                UnixTime::since_unix_epoch(since),
                algorithms,
            )
        });
        match checked {
            Ok(()) => Ok(()),
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => Err(TlsError::NotVouchedFor {
                cert: cert.path.clone(),
                ca: ca.path.clone(),
            }),
            Err(error) => Err(unusable(cert, &error)),
        }
    }
}

/// Every certificate of a PEM file, of which there is at least one.
fn certificates(file: &Contents) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::NotPem {
            path: file.path.clone(),
            wanted: "certificate",
        }),
    }
}

fn unusable(file: &Contents, error: &Error) -> TlsError {
    TlsError::Unusable {
        path: file.path.clone(),
        reason: error.to_string(),
    }
}
