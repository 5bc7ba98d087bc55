//! What a set of keys and certificates is. `Pki` (rcgen) and `scripts/gen-certs.sh` (openssl) are held against the same description, so
//! that a stack of one works with the files of the other.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use devstack::{Pki, workspace_root};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ED25519, PublicKeyData as _, SanType,
};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DAYS: u32 = 365;

/// The names that the deployments use, written down here by hand: the test is the contract, not the code.
const ORDERS: &[&str] = &[
    "localhost",
    "orders",
    "shopapi-orders",
    "shopapi-orders.shopapi",
    "shopapi-orders.shopapi.svc",
    "shopapi-orders.shopapi.svc.cluster.local",
    "*.shopapi-orders",
    "*.shopapi-orders.shopapi",
    "*.shopapi-orders.shopapi.svc",
    "*.shopapi-orders.shopapi.svc.cluster.local",
    "127.0.0.1",
    "::1",
    "spiffe://shopapi/svc/orders",
];
const IDENTITIES: [&str; 7] = [
    "gateway",
    "orders",
    "inventory",
    "payments",
    "shopctl",
    "nats",
    "postgres",
];
const SIGNERS: [&str; 5] = ["gateway", "orders", "inventory", "payments", "shopctl"];

fn names_wanted(identity: &str) -> BTreeSet<String> {
    let with = |host: &str| {
        ORDERS
            .iter()
            .map(|name| name.replace("orders", host))
            .collect::<BTreeSet<_>>()
    };
    if identity != "postgres" {
        return with(identity);
    }
    // One certificate for every database server.
    let mut names = with("postgres");
    for server in ["orders-db", "inventory-db", "payments-db", "gateway-db"] {
        names.extend(with(server));
        names.remove(&format!("spiffe://shopapi/svc/{server}"));
    }
    names
}

/// Whoever makes sets.
trait Maker {
    fn make(&self, dir: &Path, life_days: u32);
}

struct Rust;
struct Script;

impl Maker for Rust {
    fn make(&self, dir: &Path, life_days: u32) {
        Pki::with_life(dir, DAY * life_days).unwrap();
    }
}

impl Maker for Script {
    fn make(&self, dir: &Path, life_days: u32) {
        let output = script(dir, life_days);
        assert!(output.status.success(), "{output:?}");
    }
}

fn script(dir: &Path, life_days: u32) -> Output {
    Command::new(workspace_root().join("scripts/gen-certs.sh"))
        .arg("--dir")
        .arg(dir)
        .args(["--days", &life_days.to_string()])
        .output()
        .unwrap()
}

fn first_certificate(file: &Path) -> Pem {
    let bytes = std::fs::read(file).unwrap();
    Pem::iter_from_buffer(&bytes).next().unwrap().unwrap()
}

fn names(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let extension = certificate.subject_alternative_name().unwrap().unwrap();
    let address = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(v4) => std::net::IpAddr::from(v4).to_string(),
        Err(_) => std::net::IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_string(),
    };
    extension
        .value
        .general_names
        .iter()
        .map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => (*name).to_owned(),
            GeneralName::IPAddress(bytes) => address(bytes),
            other => panic!("an unexpected name: {other:?}"),
        })
        .collect()
}

fn check_authority(dir: &Path) {
    let pem = first_certificate(&dir.join("ca.crt"));
    let (_, ca) = X509Certificate::from_der(&pem.contents).unwrap();
    let constraints = ca.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = ca.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert_eq!(ca.subject(), ca.issuer());
    let key = KeyPair::from_pem(&std::fs::read_to_string(dir.join("ca.key")).unwrap()).unwrap();
    assert_eq!(key.algorithm(), &PKCS_ECDSA_P256_SHA256);
    assert_eq!(
        key.der_bytes(),
        ca.public_key().subject_public_key.data.as_ref()
    );
}

fn check_leaf(dir: &Path, identity: &str) {
    let own = dir.join(identity);
    let pem = first_certificate(&own.join("tls.crt"));
    let (_, leaf) = X509Certificate::from_der(&pem.contents).unwrap();
    assert_eq!(leaf.subject().to_string(), format!("CN={identity}"));
    assert_eq!(names(&leaf), names_wanted(identity), "{identity}");
    let purposes = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && purposes.client_auth && !purposes.any);
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.critical && usage.value.digital_signature() && !usage.value.key_cert_sign());
    let constraints = leaf.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
    let validity = leaf.validity();
    assert!(validity.is_valid());
    let life = validity.not_after.timestamp() - validity.not_before.timestamp();
    let wanted = i64::from(DAYS) * 24 * 3600;
    assert!((wanted..wanted + 3600).contains(&life), "{life} s");
    let text = std::fs::read_to_string(own.join("tls.key")).unwrap();
    assert!(
        text.starts_with("-----BEGIN PRIVATE KEY-----\n"),
        "not PKCS#8"
    );
    let key = KeyPair::from_pem(&text).unwrap();
    assert_eq!(key.algorithm(), &PKCS_ECDSA_P256_SHA256);
    assert_eq!(
        key.der_bytes(),
        leaf.public_key().subject_public_key.data.as_ref()
    );
    assert_eq!(
        std::fs::read(own.join("ca.crt")).unwrap(),
        std::fs::read(dir.join("ca.crt")).unwrap()
    );
    // Another implementation builds the chain: signature, names, purposes, dates.
    for purpose in ["sslserver", "sslclient"] {
        let verified = Command::new("openssl")
            .args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile"])
            .args([own.join("ca.crt"), own.join("tls.crt")])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{verified:?}");
    }
}

fn check_signing_key(dir: &Path, service: &str) {
    let file = dir.join(service).join("jwt.key");
    let key = KeyPair::from_pem(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(key.algorithm(), &PKCS_ED25519);
    let public =
        std::fs::read_to_string(dir.join("jwt-public").join(format!("{service}.pem"))).unwrap();
    assert_eq!(public, key.public_key_pem().replace("\r\n", "\n"));
    let read_by_openssl = Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&read_by_openssl.stdout), public);
}

/// Every file below a directory with its mode and content.
fn files(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            found.extend(files(&path));
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            let content = std::fs::read(&path).unwrap();
            found.insert(path, (mode, content));
        }
    }
    found
}

fn listing() -> BTreeSet<String> {
    let mut wanted: BTreeSet<String> = ["ca.crt", "ca.key"].map(str::to_owned).into();
    for identity in IDENTITIES {
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            wanted.insert(format!("{identity}/{file}"));
        }
    }
    for service in SIGNERS {
        wanted.insert(format!("{service}/jwt.key"));
        wanted.insert(format!("jwt-public/{service}.pem"));
    }
    wanted
}

fn holds_the_description(maker: &impl Maker) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pki");
    maker.make(&dir, DAYS);
    let there: BTreeSet<String> = files(&dir)
        .keys()
        .map(|path| path.strip_prefix(&dir).unwrap().display().to_string())
        .collect();
    assert_eq!(there, listing());
    check_authority(&dir);
    for identity in IDENTITIES {
        check_leaf(&dir, identity);
    }
    for service in SIGNERS {
        check_signing_key(&dir, service);
    }
}

fn leaves_alone_what_is_valid(first: &impl Maker, second: &impl Maker) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pki");
    first.make(&dir, DAYS);
    let before = files(&dir);
    second.make(&dir, DAYS);
    assert_eq!(before, files(&dir));
}

/// Which files a run replaces after `change` was done to a good set.
fn replaced_after(maker: &dyn Maker, change: impl FnOnce(&Path)) -> BTreeSet<String> {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pki");
    maker.make(&dir, DAYS);
    change(&dir);
    let before = files(&dir);
    maker.make(&dir, DAYS);
    let after = files(&dir);
    after
        .iter()
        .filter(|(path, content)| before.get(*path) != Some(content))
        .map(|(path, _)| path.strip_prefix(&dir).unwrap().display().to_string())
        .collect()
}

/// Replaces the certificate of orders by one for the same key, of which `left` days of a year are left.
fn age_orders(dir: &Path, left: i64) {
    let read = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap();
    let key = KeyPair::from_pem(&read("orders/tls.key")).unwrap();
    let ca_key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), ca_key).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "orders");
    params.subject_alt_names = names_wanted("orders")
        .into_iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if name.starts_with("spiffe:") => SanType::URI(name.try_into().unwrap()),
            Err(_) => SanType::DnsName(name.try_into().unwrap()),
        })
        .collect();
    let end = OffsetDateTime::now_utc() + time::Duration::days(left);
    params.not_after = end;
    params.not_before = end - time::Duration::days(DAYS.into());
    let aged = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(dir.join("orders/tls.crt"), aged.pem()).unwrap();
}

fn renews_what_is_near_its_end(maker: &dyn Maker) {
    let nothing = BTreeSet::new();
    let pair: BTreeSet<String> = ["orders/tls.crt", "orders/tls.key"]
        .map(str::to_owned)
        .into();
    assert_eq!(replaced_after(maker, |dir| age_orders(dir, 121)), pair);
    assert_eq!(replaced_after(maker, |dir| age_orders(dir, -1)), pair);
    assert_eq!(replaced_after(maker, |dir| age_orders(dir, 123)), nothing);
}

#[test]
fn the_set_made_in_rust_is_as_described() {
    holds_the_description(&Rust);
}

#[test]
fn the_set_made_by_the_script_is_as_described() {
    holds_the_description(&Script);
}

#[test]
fn a_second_run_changes_nothing_whoever_made_the_first() {
    leaves_alone_what_is_valid(&Rust, &Rust);
    leaves_alone_what_is_valid(&Script, &Script);
    leaves_alone_what_is_valid(&Rust, &Script);
    leaves_alone_what_is_valid(&Script, &Rust);
}

#[test]
fn what_is_near_its_end_is_renewed_and_nothing_else() {
    renews_what_is_near_its_end(&Rust);
    renews_what_is_near_its_end(&Script);
}

#[test]
fn a_key_that_does_not_fit_or_is_gone_is_replaced_with_its_certificate() {
    for maker in [&Rust as &dyn Maker, &Script] {
        let pair: BTreeSet<String> = ["orders/tls.crt", "orders/tls.key"]
            .map(str::to_owned)
            .into();
        let foreign = |dir: &Path| {
            std::fs::copy(dir.join("payments/tls.key"), dir.join("orders/tls.key")).unwrap();
        };
        assert_eq!(replaced_after(maker, foreign), pair);
        let gone = |dir: &Path| std::fs::remove_file(dir.join("orders/tls.key")).unwrap();
        assert_eq!(replaced_after(maker, gone), pair);
    }
}

/// Containers of other accounts read what `make up` lets them read, before and after a renewal.
#[test]
fn the_script_renews_a_file_with_the_mode_that_it_had() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pki");
    Script.make(&dir, DAYS);
    age_orders(&dir, 10);
    let pair = ["orders/tls.crt", "orders/tls.key"].map(|file| dir.join(file));
    let old = pair.each_ref().map(|file| std::fs::read(file).unwrap());
    for file in &pair {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    Script.make(&dir, DAYS);
    for (file, old) in pair.iter().zip(old) {
        assert_ne!(std::fs::read(file).unwrap(), old, "{}", file.display());
        let mode = std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o644, "{}", file.display());
    }
}

#[test]
fn a_lost_authority_is_said_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pki");
    Rust.make(&dir, DAYS);
    std::fs::remove_file(dir.join("ca.key")).unwrap();
    let refused = Pki::load_or_create(&dir).unwrap_err().to_string();
    assert!(refused.contains("ca.key is missing"), "{refused}");
    let output = script(&dir, DAYS);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("ca.key is missing"));
}

fn is_issued_by(certificate: &Path, authority: &Path) -> bool {
    Command::new("openssl")
        .args(["verify", "-CAfile"])
        .args([authority, certificate])
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn an_authority_is_replaced_in_steps_that_always_fit_each_other() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pki");
    let pki = Pki::load_or_create(&dir).unwrap();
    let old = home.path().join("old-ca.crt");
    let old_leaf = home.path().join("old-leaf.crt");
    std::fs::copy(pki.ca_file(), &old).unwrap();
    let orders = pki.dir_of("orders").join("tls.crt");
    let bundle = pki.dir_of("gateway").join("ca.crt");
    std::fs::copy(&orders, &old_leaf).unwrap();

    pki.start_ca_rotation().unwrap();
    assert!(is_issued_by(&orders, &old) && is_issued_by(&orders, &bundle));

    pki.renew_leaves().unwrap();
    assert!(!is_issued_by(&orders, &old) && is_issued_by(&orders, &bundle));
    assert!(is_issued_by(&old_leaf, &bundle));

    pki.finish_ca_rotation().unwrap();
    assert!(is_issued_by(&orders, &bundle) && !is_issued_by(&old_leaf, &bundle));
    let done = files(&dir);
    Rust.make(&dir, DAYS);
    Script.make(&dir, DAYS);
    assert_eq!(done, files(&dir));
}

#[test]
fn a_signing_key_is_announced_before_it_is_used_and_the_old_one_stays_for_a_while() {
    let home = tempfile::tempdir().unwrap();
    let pki = Pki::load_or_create(&home.path().join("pki")).unwrap();
    let public = |name: &str| std::fs::read_to_string(pki.public_keys().join(name)).ok();
    let first = public("orders.pem").unwrap();

    pki.announce_jwt_key("orders").unwrap();
    let next = public("orders.next.pem").unwrap();
    assert_eq!(public("orders.pem").unwrap(), first);

    pki.switch_jwt_key("orders").unwrap();
    assert_eq!(public("orders.pem").unwrap(), next);
    assert_eq!(public("orders.previous.pem").unwrap(), first);
    assert_eq!(public("orders.next.pem"), None);
    check_signing_key(pki.dir(), "orders");

    pki.retire_jwt_key("orders").unwrap();
    assert_eq!(public("orders.previous.pem"), None);
}
