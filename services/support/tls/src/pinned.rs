//! A server that is known by its certificate: for whoever asks a server on the same machine, where the name that it is dialled by is none that
//! a CA vouches for.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use shopapi_watched::Unreadable;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::configs::{self, provider};
use crate::error::TlsError;
use crate::verifiers::{only_tls13, tls13_signature};

/// Believes one certificate, whatever it says about names and dates. Does not follow its file.
#[derive(Clone)]
pub struct PinnedServer {
    client: Arc<ClientConfig>,
}

impl fmt::Debug for PinnedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinnedServer")
    }
}

impl PinnedServer {
    /// The first certificate of this PEM chain.
    ///
    /// # Errors
    /// [`TlsError`]: unreadable, or no certificate in it.
    pub fn load(cert: &Path) -> Result<Self, TlsError> {
        let leaf = CertificateDer::from_pem_file(cert).map_err(|error| match error {
            pem::Error::Io(cause) => TlsError::Unreadable(Unreadable {
                path: cert.to_owned(),
                cause,
            }),
            _ => TlsError::NotPem {
                path: cert.to_owned(),
                wanted: "certificate",
            },
        })?;
        let client = configs::client(Arc::new(Is(leaf)), None)?;
        Ok(Self {
            client: Arc::new(client),
        })
    }

    /// `stream`, which leads to `addr`, after the handshake.
    ///
    /// # Errors
    /// When the other end is another server, or none that speaks TLS 1.3.
    pub async fn connect(
        &self,
        addr: SocketAddr,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::from(addr.ip());
        TlsConnector::from(Arc::clone(&self.client))
            .connect(name, stream)
            .await
    }
}

#[derive(Debug)]
struct Is(CertificateDer<'static>);

impl ServerCertVerifier for Is {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if leaf.as_ref() == self.0.as_ref() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
