//! Both ends in one process, over real sockets, with certificates made for each test.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use shopapi_watched::Look;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;

mod doors;
mod files;

const ALPN: &[&[u8]] = &[b"h2"];

static MADE: AtomicUsize = AtomicUsize::new(0);

struct Ca(CertifiedIssuer<'static, KeyPair>);

/// What a leaf says, its times from now.
struct Wanted<'a> {
    uris: &'a [&'a str],
    starts: time::Duration,
    ends: time::Duration,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            uris: &["spiffe://shopapi/svc/orders"],
            starts: time::Duration::days(-1),
            ends: time::Duration::days(30),
        }
    }
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // Another CA has another name, as real ones do.
        let name = format!("test CA {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key of a leaf.
    fn sign(&self, wanted: &Wanted<'_>) -> (String, String) {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        for uri in wanted.uris {
            let uri = SanType::URI((*uri).try_into().unwrap());
            params.subject_alt_names.push(uri);
        }
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let now = OffsetDateTime::now_utc();
        params.not_before = now + wanted.starts;
        params.not_after = now + wanted.ends;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// An identity's directory for a service.
    fn identity_of(&self, service: &str) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let uri = format!("spiffe://shopapi/svc/{service}");
        let wanted = Wanted {
            uris: &[&uri],
            ..Wanted::default()
        };
        write(dir.path(), &self.sign(&wanted), &self.pem());
        dir
    }
}

fn write(dir: &Path, (cert, key): &(String, String), ca: &str) {
    fs::write(dir.join("tls.crt"), cert).unwrap();
    fs::write(dir.join("tls.key"), key).unwrap();
    fs::write(dir.join("ca.crt"), ca).unwrap();
}

fn load(dir: &TempDir) -> Identity {
    Identity::load(IdentityFiles::in_dir(dir.path())).unwrap()
}

/// A server that answers each connection with the name of its peer, or `nobody`.
async fn serve(config: Arc<rustls::ServerConfig>, limits: HandshakeLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let incoming = Acceptor::new(config, limits).incoming(Arc::new(listener));
    tokio::spawn(incoming.for_each(|mut secured| async move {
        let name = secured
            .peer()
            .map_or("nobody".into(), |peer| Arc::clone(&peer.name));
        // The caller may be gone.
        let _ = secured.write_all(name.as_bytes()).await;
        let _ = secured.shutdown().await;
    }));
    addr
}

/// What the server says to a caller; in TLS 1.3 a refused certificate shows on the first read.
async fn call(addr: SocketAddr, config: Arc<ClientConfig>) -> Result<String, String> {
    let stream = TcpStream::connect(addr).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connected = TlsConnector::from(config).connect(name, stream).await;
    let mut stream = connected.map_err(|error| error.to_string())?;
    let mut said = String::new();
    match stream.read_to_string(&mut said).await {
        Ok(_) => Ok(said),
        Err(error) => Err(error.to_string()),
    }
}

fn replaced(identity: &Identity) {
    let looked = identity.look();
    assert!(matches!(looked, Look::Replaced), "{looked:?}");
}

fn refused(identity: &Identity) -> String {
    match identity.look() {
        Look::Refused(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}
