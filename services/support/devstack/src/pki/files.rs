//! Reading and replacing the files of a set, and what a certificate on disk says.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::Error;

/// Mode of every file.
const FILE_MODE: u32 = 0o600;

/// Replaces a file as a whole, unless it already says the same.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let doing = || format!("writing {}", path.display());
    let fresh = path.with_extension("new");
    let mut out = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(FILE_MODE)
        .open(&fresh)
        .map_err(Error::io(doing()))?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.sync_all())
        .map_err(Error::io(doing()))?;
    std::fs::rename(&fresh, path).map_err(Error::io(doing()))
}

/// A file's text; `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("reading {}", path.display()))(error)),
    }
}

/// What a certificate says, as far as its renewal depends on it.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) pem: String,
    pub(super) der: Vec<u8>,
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) public_key: Vec<u8>,
    pub(super) names: BTreeSet<String>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Certificate {
    /// Less than a third of its life is left at `now`, in seconds since 1970.
    pub(super) fn is_near_its_end(&self, now: i64) -> bool {
        let life = self.not_after.saturating_sub(self.not_before);
        self.not_after.saturating_sub(now) < life / 3
    }
}

/// The certificates of a PEM text, in order; what cannot be read is left out.
pub(super) fn certificates(text: &str) -> Vec<Certificate> {
    Pem::iter_from_buffer(text.as_bytes())
        .filter_map(|pem| certificate(&pem.ok()?, text))
        .collect()
}

fn certificate(pem: &Pem, text: &str) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(Certificate {
        pem: pem_text_of(&pem.contents, text)?,
        der: pem.contents.clone(),
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        public_key: parsed.public_key().subject_public_key.data.to_vec(),
        names: names_of(&parsed),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    })
}

/// The block of `text` that holds exactly these bytes.
fn pem_text_of(der: &[u8], text: &str) -> Option<String> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END).find_map(|block| {
        let from = block.find("-----BEGIN CERTIFICATE-----")?;
        let block = &block[from..];
        let (_, pem) = x509_parser::pem::parse_x509_pem(block.as_bytes()).ok()?;
        (pem.contents == der).then(|| format!("{block}\n"))
    })
}

fn names_of(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return BTreeSet::new();
    };
    extension
        .value
        .general_names
        .iter()
        .map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => (*name).to_owned(),
            GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
                Ok(v4) => IpAddr::from(v4).to_string(),
                Err(_) => <[u8; 16]>::try_from(*bytes)
                    .map_or_else(|_| format!("{bytes:?}"), |v6| IpAddr::from(v6).to_string()),
            },
            other => format!("{other:?}"),
        })
        .collect()
}
