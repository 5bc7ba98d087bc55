//! Who a certificate says it is, and for how long.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What comes before a service's name in its URI SAN.
const SPIFFE_PREFIX: &str = "spiffe://shopapi/svc/";
/// Longest name of a service; ours have at most ten bytes.
const NAME_BYTES_MAX: usize = 63;

/// Who is at the other end of a connection, as its certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The service, for example `orders`.
    pub name: Arc<str>,
    /// The certificate's serial number, in lower-case hex.
    pub serial: Arc<str>,
}

/// What a leaf says about itself.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// `None` without exactly one URI SAN of ours.
    pub(crate) peer: Option<Peer>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

impl Leaf {
    /// `None` when it is no certificate.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let serial: String = certificate
            .raw_serial()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let validity = certificate.validity();
        Some(Self {
            peer: service_name(&certificate).map(|name| Peer {
                name: name.into(),
                serial: serial.into(),
            }),
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
        })
    }
}

impl Peer {
    /// The service that a certificate names; `None` unless it names exactly one.
    #[must_use]
    pub fn of(der: &CertificateDer<'_>) -> Option<Self> {
        Leaf::read(der)?.peer
    }
}

fn service_name<'a>(certificate: &X509Certificate<'a>) -> Option<&'a str> {
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names.value.general_names.iter().filter_map(|name| {
        if let GeneralName::URI(uri) = name {
            Some(*uri)
        } else {
            None
        }
    });
    // A certificate with two names would be whoever a caller asks for.
    let (Some(only), None) = (uris.next(), uris.next()) else {
        return None;
    };
    let name = only.strip_prefix(SPIFFE_PREFIX)?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain);
    fits.then_some(name)
}

fn at(timestamp_s: i64) -> SystemTime {
    // Certificates from before 1970 are long expired.
    let since = u64::try_from(timestamp_s).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since)
}
