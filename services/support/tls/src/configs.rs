//! The rustls configurations, the same rules for all: TLS 1.3, nothing resumed, nothing early. Only the public port takes TLS 1.2 as well.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::error::TlsError;

/// The one crypto library, also where another crate installed none or another.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

/// Says that the library cannot do TLS 1.3, which no build of ours leads to.
fn no_tls13(error: &rustls::Error) -> TlsError {
    TlsError::Unusable {
        path: "the TLS library".into(),
        reason: error.to_string(),
    }
}

/// Between services there is nothing older than TLS 1.3.
pub(crate) const OWN: &[&SupportedProtocolVersion] = &[&TLS13];
/// Browsers and programs that we do not know: also TLS 1.2, of which this library has only the suites with forward secrecy and AEAD.
pub(crate) const PUBLIC: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

/// Without `clients` nobody is asked for a certificate.
pub(crate) fn server(
    resolver: Arc<dyn ResolvesServerCert>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| no_tls13(&error))?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(resolver);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// Without `own` no certificate is presented.
pub(crate) fn client(
    servers: Arc<dyn ServerCertVerifier>,
    own: Option<Arc<dyn ResolvesClientCert>>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| no_tls13(&error))?
        .dangerous()
        .with_custom_certificate_verifier(servers);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// The same configuration with these application protocols, in the order of preference.
pub(crate) fn list(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.to_vec()).collect()
}
