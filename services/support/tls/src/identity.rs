//! Who this process is: its certificate and key, and the CAs that it and its peers share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use shopapi_watched::{Contents, Look, Place, Watched};

use crate::configs;
use crate::error::TlsError;
use crate::material::{Pair, Roots};
use crate::single::TrustedRoots;
use crate::verifiers::{Believes, CurrentKey, CurrentRoots, Presents};

/// The three files of an identity, named as a Kubernetes TLS secret names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate with its chain, PEM.
    pub cert: PathBuf,
    /// Its key, PKCS#8 PEM.
    pub key: PathBuf,
    /// The CAs to trust, PEM; several while one replaces another.
    pub ca: PathBuf,
}

impl IdentityFiles {
    /// `tls.crt`, `tls.key` and `ca.crt` of a directory.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            cert: dir.join("tls.crt"),
            key: dir.join("tls.key"),
            ca: dir.join("ca.crt"),
        }
    }
}

/// All of an identity at one moment.
#[derive(Debug)]
struct Whole {
    pair: Pair,
    name: Arc<str>,
    serial: Arc<str>,
    roots: Arc<Roots>,
}

/// A service's identity, which follows its files once [`Identity::watch`] runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity {
    watched: Watched<Whole, TlsError>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: Arc<str>,
}

impl Identity {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`]: unreadable, not matching, expired, nameless, or not vouched for by its own CAs.
    pub fn load(files: IdentityFiles) -> Result<Self, TlsError> {
        let IdentityFiles { cert, key, ca } = files;
        let places = [cert, key, ca].map(Place::File).into();
        let first_name = std::sync::OnceLock::<Arc<str>>::new();
        let watched = Watched::load("TLS identity", places, move |contents| {
            let whole = read(contents, SystemTime::now())?;
            let name = first_name.get_or_init(|| Arc::clone(&whole.name));
            if *name == whole.name {
                return Ok(whole);
            }
            Err(TlsError::OtherService {
                path: contents
                    .first()
                    .map_or_else(PathBuf::new, |file| file.path.clone()),
                wanted: name.to_string(),
                found: whole.name.to_string(),
            })
        })?;
        let own = Current(watched.clone());
        let server = configs::server(
            Arc::new(Presents(own.clone())),
            Some(Arc::new(Believes(own.clone()))),
            configs::OWN,
        )?;
        let client = configs::client(
            Arc::new(Believes(own.clone())),
            Some(Arc::new(Presents(own))),
        )?;
        Ok(Self {
            name: Arc::clone(&watched.get().name),
            watched,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }

    /// Follows the files for ever: looks at their contents every second, takes what is valid as a whole, logs what is not and keeps the old.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        self.watched.clone().watch()
    }

    /// Looks at the files now; for commands that do not stay and for tests.
    #[must_use]
    pub fn look(&self) -> Look<TlsError> {
        self.watched.look()
    }

    /// The service, from the certificate's SPIFFE name. It never changes.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// When the certificate ends.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.watched.get().pair.expires_at
    }

    /// The certificate's serial number in lower-case hex; another after a renewal.
    #[must_use]
    pub fn serial(&self) -> Arc<str> {
        Arc::clone(&self.watched.get().serial)
    }

    /// For a server whose callers must show a certificate of one of our services.
    #[must_use]
    pub fn server_config(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.server);
        config.alpn_protocols = configs::list(alpn);
        Arc::new(config)
    }

    /// For a client that presents this identity and believes its CAs.
    #[must_use]
    pub fn client_config(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.client);
        config.alpn_protocols = configs::list(alpn);
        Arc::new(config)
    }

    /// For a client that presents this identity to servers of another CA.
    ///
    /// # Errors
    /// [`TlsError::Unusable`] when the library has no TLS 1.3, which no build of ours leads to.
    pub fn client_config_trusting(
        &self,
        roots: &TrustedRoots,
        alpn: &[&[u8]],
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let own = Current(self.watched.clone());
        let mut config = configs::client(
            Arc::new(Believes(roots.current())),
            Some(Arc::new(Presents(own))),
        )?;
        config.alpn_protocols = configs::list(alpn);
        Ok(Arc::new(config))
    }
}

#[derive(Clone)]
struct Current(Watched<Whole, TlsError>);

impl CurrentKey for Current {
    fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.get().pair.key)
    }
}

impl CurrentRoots for Current {
    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.0.get().roots)
    }
}

/// `contents`: certificate, key, CAs.
fn read(contents: &[Contents], now: SystemTime) -> Result<Whole, TlsError> {
    let [cert, key, ca] = contents else {
        return Err(TlsError::NotPem {
            path: PathBuf::new(),
            wanted: "certificate, key and CA",
        });
    };
    let pair = Pair::read(cert, key, now)?;
    let peer = pair
        .peer
        .clone()
        .ok_or_else(|| TlsError::NoServiceName(cert.path.clone()))?;
    let roots = Roots::read(ca)?;
    roots.vouch_for(&pair, cert, ca, now)?;
    Ok(Whole {
        pair,
        name: peer.name,
        serial: peer.serial,
        roots: Arc::new(roots),
    })
}
