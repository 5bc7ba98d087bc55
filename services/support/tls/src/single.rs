//! Half of an identity: a certificate alone (public HTTPS), or roots alone (PostgreSQL).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use shopapi_watched::{Look, Place, Watched};

use crate::configs;
use crate::error::TlsError;
use crate::material::{Pair, Roots};
use crate::verifiers::{Believes, CurrentKey, CurrentRoots, Presents};

/// A certificate for callers that have none themselves: the public port. Follows its files once [`ServerCertificate::watch`] runs.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    watched: Watched<Pair, TlsError>,
    server: Arc<ServerConfig>,
    public: Arc<ServerConfig>,
}

impl ServerCertificate {
    /// Reads and checks certificate (PEM chain) and key (PKCS#8 PEM).
    ///
    /// # Errors
    /// [`TlsError`]: unreadable, not matching or expired.
    pub fn load(cert: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let places = [cert, key].map(Place::File).into();
        let watched = Watched::load("server certificate", places, |contents| match contents {
            [cert, key] => Pair::read(cert, key, SystemTime::now()),
            _ => Err(nothing()),
        })?;
        let with = |versions| {
            let resolver = Arc::new(Presents(OwnKey(watched.clone())));
            configs::server(resolver, None, versions).map(Arc::new)
        };
        let (server, public) = (with(configs::OWN)?, with(configs::PUBLIC)?);
        Ok(Self {
            watched,
            server,
            public,
        })
    }

    /// Follows the files for ever.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        self.watched.clone().watch()
    }

    /// Looks at the files now.
    #[must_use]
    pub fn look(&self) -> Look<TlsError> {
        self.watched.look()
    }

    /// When the certificate ends.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.watched.get().expires_at
    }

    /// For a server that anybody may call: asks nobody for a certificate, and takes TLS 1.2 as well.
    #[must_use]
    pub fn public_config(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.public);
        config.alpn_protocols = configs::list(alpn);
        Arc::new(config)
    }

    /// For a server that asks nobody for a certificate.
    #[must_use]
    pub fn server_config(&self, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&self.server);
        config.alpn_protocols = configs::list(alpn);
        Arc::new(config)
    }
}

/// CAs to believe. Follows its file once [`TrustedRoots::watch`] runs.
#[derive(Clone, Debug)]
pub struct TrustedRoots {
    watched: Watched<Arc<Roots>, TlsError>,
    client: Arc<ClientConfig>,
}

impl TrustedRoots {
    /// Reads a PEM bundle.
    ///
    /// # Errors
    /// [`TlsError`]: unreadable, or no certificates in it.
    pub fn load(ca: PathBuf) -> Result<Self, TlsError> {
        let watched = Watched::load("trusted CAs", vec![Place::File(ca)], |contents| {
            let ca = contents.first().ok_or_else(nothing)?;
            Roots::read(ca).map(Arc::new)
        })?;
        let client = configs::client(Arc::new(Believes(CurrentCas(watched.clone()))), None)?;
        Ok(Self {
            watched,
            client: Arc::new(client),
        })
    }

    /// Follows the file for ever.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        self.watched.clone().watch()
    }

    /// Looks at the file now.
    #[must_use]
    pub fn look(&self) -> Look<TlsError> {
        self.watched.look()
    }

    /// For a client that verifies its server, name included, and has no certificate of its own.
    #[must_use]
    pub fn client_config(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.client);
        config.alpn_protocols = configs::list(alpn);
        Arc::new(config)
    }

    pub(crate) fn current(&self) -> impl CurrentRoots + use<> {
        CurrentCas(self.watched.clone())
    }
}

struct OwnKey(Watched<Pair, TlsError>);

impl CurrentKey for OwnKey {
    fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.get().key)
    }
}

struct CurrentCas(Watched<Arc<Roots>, TlsError>);

impl CurrentRoots for CurrentCas {
    fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.0.get())
    }
}

/// A file for each place is what `Watched` reads.
fn nothing() -> TlsError {
    TlsError::NotPem {
        path: PathBuf::new(),
        wanted: "certificate",
    }
}
