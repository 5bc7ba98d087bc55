//! Making authorities, certificates and signing keys, and deciding which of those on disk are still good.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SanType,
};
use time::OffsetDateTime;

use super::files::{self, Certificate};
use super::names::{dns_names, spiffe_id};
use super::{DIR_MODE, Pki};
use crate::error::Error;
use crate::state::make_dir;

/// An authority outlives its certificates by far: replacing it touches everybody.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Clocks of two machines differ by a little.
const BACKDATED: Duration = Duration::from_secs(5 * 60);
/// RFC 8410: an Ed25519 key in PKCS#8, version 1, up to its 32 secret bytes. openssl writes and reads only this form.
const ED25519_PKCS8_V1: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Where the secret bytes are in the version 2 form that rcgen makes.
const ED25519_SECRET: std::ops::Range<usize> = 16..48;

/// A certificate and the key that belongs to it, as PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Pki {
    /// The bundle of trusted authorities; makes the authority when there is none, and a second one when it nears its end.
    pub(super) fn ensure_authority(&self) -> Result<String, Error> {
        let bundle = files::read(&self.ca_file())?;
        let key = files::read(&self.ca_key_file())?;
        match (bundle, key) {
            (None, None) => {
                let fresh = authority()?;
                self.set_authority(&fresh, &[])
            }
            (Some(bundle), Some(key)) => {
                let known = files::certificates(&bundle);
                let current = self.signing(&known, &key)?;
                if !current.is_near_its_end(now()) {
                    return Ok(bundle);
                }
                let fresh = authority()?;
                let kept: Vec<&Certificate> =
                    known.iter().filter(|ca| ca.not_after > now()).collect();
                self.set_authority(&fresh, &kept)
            }
            (Some(_), None) => Err(Error::Step(format!(
                "{} is missing: put it back, or remove {} to make a new set",
                self.ca_key_file().display(),
                self.dir.display()
            ))),
            (None, Some(_)) => Err(Error::Step(format!(
                "{} is missing: put it back, or remove {} to make a new set",
                self.ca_file().display(),
                self.dir.display()
            ))),
        }
    }

    /// Makes `fresh` the authority that signs, trusted beside those of `kept`; returns the bundle.
    pub(super) fn set_authority(
        &self,
        fresh: &Pair,
        kept: &[&Certificate],
    ) -> Result<String, Error> {
        let mut bundle = fresh.certificate.clone();
        for ca in kept {
            bundle += &ca.pem;
        }
        files::write(&self.ca_key_file(), &fresh.key)?;
        files::write(&self.ca_file(), &bundle)?;
        Ok(bundle)
    }

    /// The certificate of a bundle that belongs to the authority's key.
    pub(super) fn signing(&self, known: &[Certificate], key: &str) -> Result<Certificate, Error> {
        let pair = key_pair(key)?;
        known
            .iter()
            .find(|ca| ca.public_key == pair.public_key_raw())
            .cloned()
            .ok_or_else(|| {
                Error::Step(format!(
                    "{} does not belong to a certificate in {}: remove {} to make a new set",
                    self.ca_key_file().display(),
                    self.ca_file().display(),
                    self.dir.display()
                ))
            })
    }

    /// Makes or renews one identity where needed, and gives it the bundle.
    pub(super) fn ensure_leaf(&self, identity: &str, bundle: &str) -> Result<(), Error> {
        make_dir(&self.dir_of(identity), DIR_MODE)?;
        if !self.leaf_is_good(identity, bundle)? {
            self.issue_leaf(identity)?;
        }
        files::write(&self.dir_of(identity).join("ca.crt"), bundle)
    }

    fn leaf_is_good(&self, identity: &str, bundle: &str) -> Result<bool, Error> {
        let dir = self.dir_of(identity);
        let (Some(chain), Some(key)) = (
            files::read(&dir.join("tls.crt"))?,
            files::read(&dir.join("tls.key"))?,
        ) else {
            return Ok(false);
        };
        let (Some(leaf), Ok(key)) = (
            files::certificates(&chain).into_iter().next(),
            key_pair(&key),
        ) else {
            return Ok(false);
        };
        let wanted = self.names_of(identity).into_iter().collect();
        let issued_by_ours = files::certificates(bundle)
            .iter()
            .any(|ca| ca.subject == leaf.issuer);
        Ok(leaf.public_key == key.public_key_raw()
            && leaf.names == wanted
            && issued_by_ours
            && !leaf.is_near_its_end(now()))
    }

    fn names_of(&self, identity: &str) -> Vec<String> {
        let mut names = dns_names(identity, &self.names);
        names.push(spiffe_id(identity));
        names.extend(loopback().map(|ip| ip.to_string()));
        names
    }

    /// A new key and certificate for one identity, by the authority that signs at present.
    pub(super) fn issue_leaf(&self, identity: &str) -> Result<(), Error> {
        let bundle = files::read(&self.ca_file())?.unwrap_or_default();
        let ca_key = files::read(&self.ca_key_file())?.unwrap_or_default();
        let ca = self.signing(&files::certificates(&bundle), &ca_key)?;
        let fresh = leaf(
            identity,
            &dns_names(identity, &self.names),
            self.leaf_life,
            &ca,
            &ca_key,
        )?;
        let dir = self.dir_of(identity);
        files::write(&dir.join("tls.key"), &fresh.key)?;
        files::write(&dir.join("tls.crt"), &fresh.certificate)
    }

    /// Makes a service's signing key when there is none, and writes its public half.
    pub(super) fn ensure_jwt_key(&self, service: &str) -> Result<(), Error> {
        let file = self.jwt_key(service);
        let key = match files::read(&file)? {
            Some(key) => key,
            None => {
                let key = jwt_key()?;
                files::write(&file, &key)?;
                key
            }
        };
        let public = self.public_keys().join(format!("{service}.pem"));
        files::write(&public, &public_half(&key)?)
    }
}

/// A new authority.
pub(super) fn authority() -> Result<Pair, Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::default();
    let unique: u32 = rand::random();
    // Two authorities in one bundle need two names: chains are built by name.
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("shopapi CA {unique:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let at = OffsetDateTime::now_utc();
    params.not_before = at - BACKDATED;
    params.not_after = at + CA_LIFE;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Pair {
        certificate: certificate.pem().replace("\r\n", "\n"),
        key: key.serialize_pem().replace("\r\n", "\n"),
    })
}

fn leaf(
    identity: &str,
    dns: &[String],
    life: Duration,
    ca: &Certificate,
    ca_key: &str,
) -> Result<Pair, Error> {
    let issuer =
        Issuer::from_ca_cert_der(&ca.der.as_slice().into(), key_pair(ca_key)?).map_err(failed)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, identity.to_owned());
    let mut names = Vec::new();
    for name in dns {
        names.push(SanType::DnsName(name.as_str().try_into().map_err(failed)?));
    }
    names.extend(loopback().map(SanType::IpAddress));
    names.push(SanType::URI(
        spiffe_id(identity).as_str().try_into().map_err(failed)?,
    ));
    params.subject_alt_names = names;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    let at = OffsetDateTime::now_utc();
    // The first instants of a short life count too: a test's certificate must not be near its end when it is made.
    params.not_before = at - BACKDATED.min(life / 10);
    params.not_after = at + life;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(Pair {
        certificate: certificate.pem().replace("\r\n", "\n"),
        key: key.serialize_pem().replace("\r\n", "\n"),
    })
}

/// A new Ed25519 key in the form that openssl writes.
pub(super) fn jwt_key() -> Result<String, Error> {
    let made = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
    let der = made.serialized_der();
    let secret = der.get(ED25519_SECRET).unwrap_or_default();
    let bytes: Vec<u8> = ED25519_PKCS8_V1.iter().chain(secret).copied().collect();
    let key =
        KeyPair::from_pkcs8_der_and_sign_algo(&bytes.into(), &PKCS_ED25519).map_err(failed)?;
    if key.public_key_raw() != made.public_key_raw() {
        return Err(Error::Step(
            "an Ed25519 key came in an unknown form".to_owned(),
        ));
    }
    Ok(key.serialize_pem().replace("\r\n", "\n"))
}

/// The public key that belongs to a private one, as PEM.
pub(super) fn public_half(key: &str) -> Result<String, Error> {
    Ok(key_pair(key)?.public_key_pem().replace("\r\n", "\n"))
}

pub(super) fn key_pair(pem: &str) -> Result<KeyPair, Error> {
    KeyPair::from_pem(pem).map_err(failed)
}

fn loopback() -> impl Iterator<Item = IpAddr> {
    [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ]
    .into_iter()
}

pub(super) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "handed to map_err, which gives the value away"
)]
fn failed(error: rcgen::Error) -> Error {
    Error::Step(format!("making a key or certificate: {error}"))
}
