use std::fs;
use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use shopapi_watched::Look;
use tempfile::TempDir;

use super::*;
use crate::service_token::ServiceTokenError as Wrong;

const NOW: u64 = 1_800_000_000;

/// A directory of public keys and the private keys beside it.
struct Keys {
    dir: TempDir,
}

impl Keys {
    fn of(services: &[&str]) -> Self {
        let keys = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(keys.public()).unwrap();
        for service in services {
            keys.make(service, "");
        }
        keys
    }

    fn public(&self) -> std::path::PathBuf {
        self.dir.path().join("jwt-public")
    }

    fn private(&self, service: &str) -> std::path::PathBuf {
        self.dir.path().join(format!("{service}.key"))
    }

    /// A new key; its public half beside those that are there.
    fn make(&self, service: &str, suffix: &str) -> KeyPair {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        fs::write(self.private(service), key.serialize_pem()).unwrap();
        let public = self.public().join(format!("{service}{suffix}.pem"));
        fs::write(public, key.public_key_pem()).unwrap();
        key
    }

    fn signer(&self, service: &str) -> ServiceTokens {
        ServiceTokens::load(service, self.private(service)).unwrap()
    }

    fn verifier(&self) -> ServiceVerifier {
        ServiceVerifier::load("inventory", self.public()).unwrap()
    }
}

/// The header of a token that `signer` makes.
fn header_of(signer: &ServiceTokens) -> Header {
    let token = signer.for_callee("inventory", NOW).unwrap();
    jsonwebtoken::decode_header(token.as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": SERVICE_ISSUER, "aud": "inventory", "sub": "orders",
        "iat": NOW, "nbf": NOW, "exp": NOW + LIFETIME_MAX_S,
    })
}

fn sign(header: &Header, claims: &Value, key: &Path) -> String {
    let key = EncodingKey::from_ed_pem(&fs::read(key).unwrap()).unwrap();
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

#[test]
fn a_token_names_its_caller_to_its_callee_alone() {
    let keys = Keys::of(&["orders", "gateway"]);
    let signer = keys.signer("orders");
    let token = signer.for_callee("inventory", NOW).unwrap();
    let verifier = keys.verifier();
    assert_eq!(&*verifier.verify(&token, NOW).unwrap(), "orders");
    let other = ServiceVerifier::load("payments", keys.public()).unwrap();
    assert_eq!(other.verify(&token, NOW), Err(Wrong::WrongAudience));
}

#[test]
fn a_token_is_reused_until_it_is_near_its_end() {
    let keys = Keys::of(&["orders"]);
    let signer = keys.signer("orders");
    let first = signer.for_callee("inventory", NOW).unwrap();
    assert_eq!(signer.for_callee("inventory", NOW + 39).unwrap(), first);
    assert_ne!(signer.for_callee("payments", NOW).unwrap(), first);
    let second = signer.for_callee("inventory", NOW + 40).unwrap();
    assert_ne!(second, first);
    let set_back = signer.for_callee("inventory", NOW - 3600).unwrap();
    assert_eq!(
        &*keys.verifier().verify(&set_back, NOW - 3600).unwrap(),
        "orders"
    );
}

#[test]
fn a_remembered_token_ends_with_its_time_and_with_its_key() {
    let keys = Keys::of(&["orders", "gateway"]);
    let token = keys.signer("orders").for_callee("inventory", NOW).unwrap();
    let verifier = keys.verifier();
    verifier.verify(&token, NOW).unwrap();
    assert_eq!(verifier.remembered_count(), 1);
    verifier.verify(&token, NOW + 59).unwrap();
    assert_eq!(verifier.verify(&token, NOW + 60), Err(Wrong::Expired));

    fs::remove_file(keys.public().join("orders.pem")).unwrap();
    assert!(matches!(verifier.look(), Look::Replaced));
    assert_eq!(verifier.verify(&token, NOW), Err(Wrong::UnknownKey));
}

#[test]
fn what_is_remembered_is_bounded_and_what_is_refused_is_not_remembered() {
    let keys = Keys::of(&["orders"]);
    let verifier = keys.verifier();
    let header = header_of(&keys.signer("orders"));
    for n in 0..1_500 {
        let mut claims = claims();
        claims["jti"] = json!(n);
        let token = sign(&header, &claims, &keys.private("orders"));
        verifier.verify(&token, NOW).unwrap();
        assert!(verifier.remembered_count() <= 1024);
    }
    let before = verifier.remembered_count();
    verifier.verify("no token", NOW).unwrap_err();
    assert_eq!(verifier.remembered_count(), before);
}

#[test]
fn keys_are_rotated_without_a_token_refused() {
    let keys = Keys::of(&["orders"]);
    let (signer, verifier) = (keys.signer("orders"), keys.verifier());
    let old = signer.for_callee("inventory", NOW).unwrap();
    verifier.verify(&old, NOW).unwrap();

    keys.make("orders", ".next");
    assert!(matches!(verifier.look(), Look::Replaced));
    verifier.verify(&old, NOW).unwrap();
    assert!(matches!(signer.look(), Look::Replaced));
    let new = signer.for_callee("inventory", NOW).unwrap();
    assert_ne!(new, old, "the new key signs at once");
    for token in [&old, &new] {
        assert_eq!(&*verifier.verify(token, NOW).unwrap(), "orders");
    }
    fs::remove_file(keys.public().join("orders.pem")).unwrap();
    assert!(matches!(verifier.look(), Look::Replaced));
    verifier.verify(&new, NOW).unwrap();
    assert_eq!(verifier.verify(&old, NOW), Err(Wrong::UnknownKey));
}

#[test]
fn every_claim_is_required_and_checked() {
    let keys = Keys::of(&["orders", "gateway"]);
    let verifier = keys.verifier();
    let header = header_of(&keys.signer("orders"));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = claims();
        change(&mut changed);
        let token = sign(&header, &changed, &keys.private("orders"));
        verifier.verify(&token, NOW).map(drop)
    };
    assert_eq!(with(&|_| {}), Ok(()), "the same, unchanged");
    for claim in ["iss", "aud", "sub", "iat", "nbf", "exp"] {
        let missing = with(&|claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        assert!(missing.is_err(), "{claim} missing");
    }
    for (claim, value, wrong) in [
        ("aud", json!("payments"), Wrong::WrongAudience),
        ("aud", json!(["inventory"]), Wrong::Malformed),
        ("aud", json!(["inventory", "payments"]), Wrong::Malformed),
        ("iss", json!("shopapi.gateway"), Wrong::WrongIssuer),
        ("sub", json!("gateway"), Wrong::WrongSubject),
        ("sub", json!(""), Wrong::WrongSubject),
        ("exp", json!(NOW), Wrong::Expired),
        ("exp", json!(NOW + 61), Wrong::BadLifetime),
        ("exp", json!(1e18), Wrong::Malformed),
        ("exp", json!(u64::MAX), Wrong::BadLifetime),
        ("exp", json!("soon"), Wrong::Malformed),
        ("nbf", json!(NOW + 6), Wrong::NotYetValid),
        ("iat", json!(NOW + 6), Wrong::NotYetValid),
        ("iat", json!(NOW - 1), Wrong::BadLifetime),
    ] {
        let refused = with(&|claims| claims[claim] = value.clone());
        assert_eq!(refused, Err(wrong), "{claim} = {value}");
    }
}

#[test]
fn the_algorithm_comes_from_the_key() {
    let keys = Keys::of(&["orders"]);
    let verifier = keys.verifier();
    let fine = header_of(&keys.signer("orders"));
    let token = sign(&fine, &claims(), &keys.private("orders"));
    verifier.verify(&token, NOW).unwrap();

    // The public key as a secret, the classic.
    let public = fs::read(keys.public().join("orders.pem")).unwrap();
    let mut hs256 = Header::new(Algorithm::HS256);
    hs256.kid.clone_from(&fine.kid);
    let confused =
        jsonwebtoken::encode(&hs256, &claims(), &EncodingKey::from_secret(&public)).unwrap();
    assert_eq!(verifier.verify(&confused, NOW), Err(Wrong::UnknownKey));

    // {"alg":"none","typ":"JWT"}
    let body = token.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
    assert_eq!(verifier.verify(&none, NOW), Err(Wrong::Malformed));

    let mut jku = fine.clone();
    jku.jku = Some("https://elsewhere.example/keys".to_owned());
    let brought = sign(&jku, &claims(), &keys.private("orders"));
    assert_eq!(verifier.verify(&brought, NOW), Err(Wrong::UnknownKey));

    let mut nobody = fine.clone();
    nobody.kid = None;
    let nameless = sign(&nobody, &claims(), &keys.private("orders"));
    assert_eq!(verifier.verify(&nameless, NOW), Err(Wrong::UnknownKey));

    let strange = Keys::of(&["orders"]);
    let forged = sign(&fine, &claims(), &strange.private("orders"));
    assert_eq!(verifier.verify(&forged, NOW), Err(Wrong::BadSignature));

    let long = "x".repeat(SERVICE_TOKEN_BYTES_MAX + 1);
    assert_eq!(verifier.verify(&long, NOW), Err(Wrong::TooLong));
}

#[test]
fn a_key_speaks_for_one_service_and_a_wrong_file_is_named() {
    let keys = Keys::of(&["orders"]);
    let orders = keys.public().join("orders.pem");
    let load_error = || {
        let refused = ServiceVerifier::load("inventory", keys.public());
        refused.unwrap_err().to_string()
    };
    fs::copy(&orders, keys.public().join("payments.pem")).unwrap();
    assert!(load_error().contains("under another service's name"));
    fs::write(keys.public().join("payments.pem"), "no key").unwrap();
    assert!(load_error().contains("payments.pem holds no Ed25519 public key"));
    fs::remove_file(keys.public().join("payments.pem")).unwrap();
    fs::remove_file(orders).unwrap();
    assert!(load_error().contains("holds no *.pem"));

    let ecdsa = KeyPair::generate().unwrap();
    fs::write(keys.private("orders"), ecdsa.serialize_pem()).unwrap();
    let refused = ServiceTokens::load("orders", keys.private("orders"));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("orders.key holds no Ed25519 private key"),
        "{refused}"
    );
}
