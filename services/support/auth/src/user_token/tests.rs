use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::{Value, json};
use shopapi_watched::Look;

use super::*;

const NOW_S: u64 = 1_800_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "fedcba9876543210fedcba9876543210";

fn key(secret: &str) -> UserKey {
    UserKey::new(secret).unwrap()
}

fn tokens() -> UserTokens {
    UserTokens::new(
        UserKeys::fixed(KeyRing::new(&key(SECRET), None)),
        Duration::from_secs(900),
    )
}

/// Signs with the other key, and believes the first one too.
fn rotated() -> UserTokens {
    let ring = KeyRing::new(&key(OTHER_SECRET), Some(&key(SECRET)));
    UserTokens::new(UserKeys::fixed(ring), Duration::from_secs(60))
}

fn customer() -> CustomerId {
    CustomerId(Uuid::from_u128(7))
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": customer().to_string(),
        "iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 900,
    })
}

/// A token with these claims, signed with the right key and naming it.
fn signed(claims: &Value) -> String {
    signed_as(claims, Algorithm::HS256, Some(key(SECRET).kid()))
}

fn signed_as(claims: &Value, algorithm: Algorithm, kid: Option<&str>) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    jsonwebtoken::encode(
        &header,
        claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap()
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = good_claims();
    claims[claim] = value;
    claims
}

fn verdict(claims: &Value) -> Result<CustomerId, TokenError> {
    tokens().verify(&signed(claims), NOW_S)
}

#[test]
fn an_issued_token_names_its_customer_until_its_end() {
    let issued = tokens().issue(customer(), NOW_S).unwrap();

    assert_eq!(tokens().verify(&issued.token, NOW_S), Ok(customer()));
    assert_eq!(tokens().verify(&issued.token, NOW_S + 899), Ok(customer()));
    assert_eq!(
        tokens().verify(&issued.token, NOW_S + 900),
        Err(TokenError::Expired)
    );
    assert_eq!(issued.expires_in, Duration::from_secs(900));
}

#[test]
fn a_token_without_one_of_its_claims_is_refused() {
    assert_eq!(verdict(&good_claims()), Ok(customer()));
    for claim in ["iss", "aud", "sub", "iat", "nbf", "exp"] {
        let mut claims = good_claims();
        claims.as_object_mut().unwrap().remove(claim);
        assert_eq!(verdict(&claims), Err(TokenError::Malformed), "{claim}");
    }
}

#[test]
fn every_wrong_claim_is_refused() {
    let table = [
        (
            with("aud", json!("shopapi.orders")),
            TokenError::WrongAudience,
        ),
        (with("aud", json!([AUDIENCE])), TokenError::Malformed),
        (
            with("aud", json!([AUDIENCE, "other"])),
            TokenError::Malformed,
        ),
        (with("iss", json!("somebody")), TokenError::WrongIssuer),
        (with("nbf", json!(NOW_S + 6)), TokenError::NotYetValid),
        (with("iat", json!(NOW_S + 6)), TokenError::NotYetValid),
        (with("exp", json!(NOW_S)), TokenError::Expired),
        (with("exp", json!(NOW_S + 86_401)), TokenError::BadLifetime),
        (with("exp", json!("tomorrow")), TokenError::Malformed),
        (with("sub", json!("root")), TokenError::BadSubject),
        (
            with("sub", json!(Uuid::nil().to_string())),
            TokenError::BadSubject,
        ),
        (
            with("sub", json!(customer().0.simple().to_string())),
            TokenError::BadSubject,
        ),
    ];
    for (claims, expected) in table {
        assert_eq!(verdict(&claims), Err(expected), "{claims}");
    }
}

#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let kid = key(SECRET).kid().to_owned();
    let hs512 = signed_as(&good_claims(), Algorithm::HS512, Some(&kid));
    assert_eq!(tokens().verify(&hs512, NOW_S), Err(TokenError::UnknownKey));

    let unsigned = format!(
        "{}.{}.",
        "eyJhbGciOiJub25lIn0",
        signed(&good_claims()).split('.').nth(1).unwrap()
    );
    assert_eq!(
        tokens().verify(&unsigned, NOW_S),
        Err(TokenError::Malformed)
    );
}

#[test]
fn a_token_must_name_a_known_key_and_fit_it() {
    let nameless = signed_as(&good_claims(), Algorithm::HS256, None);
    let stranger = signed_as(&good_claims(), Algorithm::HS256, Some("00000000"));
    let borrowed_name = signed_as(
        &good_claims(),
        Algorithm::HS256,
        Some(key(OTHER_SECRET).kid()),
    );
    let both = rotated();

    assert_eq!(both.verify(&nameless, NOW_S), Err(TokenError::UnknownKey));
    assert_eq!(both.verify(&stranger, NOW_S), Err(TokenError::UnknownKey));
    assert_eq!(
        both.verify(&borrowed_name, NOW_S),
        Err(TokenError::BadSignature)
    );
}

#[test]
fn a_retiring_key_is_believed_and_signs_nothing() {
    let old = tokens().issue(customer(), NOW_S).unwrap().token;
    let rotated = rotated();
    let fresh = rotated.issue(customer(), NOW_S).unwrap().token;

    assert_eq!(rotated.verify(&old, NOW_S), Ok(customer()));
    assert_eq!(tokens().verify(&fresh, NOW_S), Err(TokenError::UnknownKey));
}

#[test]
fn a_short_secret_is_refused_and_no_rendering_shows_one() {
    assert_eq!(
        UserKey::new("short").unwrap_err(),
        UserKeyError::TooShort(5)
    );
    let issued = tokens().issue(customer(), NOW_S).unwrap();
    let shown = format!("{:?} {:?} {issued:?}", key(SECRET), tokens());
    assert!(
        !shown.contains(SECRET) && !shown.contains(&issued.token),
        "{shown}"
    );
}

#[test]
fn an_endless_token_is_not_looked_at() {
    let endless = "a".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(tokens().verify(&endless, NOW_S), Err(TokenError::TooLong));
    // One that is right in everything but its 64 KiB.
    let mut claims = good_claims();
    claims["padding"] = json!("x".repeat(48 * 1024));
    let padded = signed(&claims);
    assert!(padded.len() > 64 * 1024);
    assert_eq!(tokens().verify(&padded, NOW_S), Err(TokenError::TooLong));
}

/// A token with any header at all, signed with the right key over whatever it says.
fn raw(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| {
        let token =
            jsonwebtoken::encode(&Header::default(), value, &EncodingKey::from_secret(b"x"));
        token.unwrap().split('.').nth(1).unwrap().to_owned()
    };
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[test]
fn no_other_algorithm_is_believed_even_over_the_right_signature() {
    let kid = key(SECRET).kid().to_owned();
    let with_alg = |alg: &str| {
        raw(
            &json!({"alg": alg, "typ": "JWT", "kid": kid}),
            &good_claims(),
        )
    };
    assert_eq!(tokens().verify(&with_alg("HS256"), NOW_S), Ok(customer()));
    for alg in [
        "none", "None", "NONE", "nOnE", "RS256", "RS384", "RS512", "PS256", "ES256", "EdDSA",
        "HS384", "HS512", "hs256", "",
    ] {
        let verdict = tokens().verify(&with_alg(alg), NOW_S);
        assert!(
            matches!(verdict, Err(TokenError::UnknownKey | TokenError::Malformed)),
            "{alg}: {verdict:?}"
        );
        let mut parts: Vec<String> = with_alg(alg).split('.').map(str::to_owned).collect();
        parts[2].clear();
        assert!(
            tokens().verify(&parts.join("."), NOW_S).is_err(),
            "{alg} without a signature"
        );
    }
}

#[test]
fn keys_that_a_token_brings_along_are_not_looked_at() {
    let kid = key(SECRET).kid().to_owned();
    let foreign = UserKey::new(OTHER_SECRET).unwrap();
    let jwk =
        json!({"kty": "oct", "k": "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA", "alg": "HS256"});
    for (name, value) in [
        ("jku", json!("https://127.0.0.1:1/keys.json")),
        ("jwk", jwk),
        ("x5u", json!("https://127.0.0.1:1/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
        header[name] = value.clone();
        // Signed with the foreign key that the header names: the known key decides, so it does not fit.
        let good = raw(&header, &good_claims());
        let (message, _) = good.rsplit_once('.').unwrap();
        let theirs = EncodingKey::from_secret(foreign.secret.expose_secret().as_bytes());
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &theirs, Algorithm::HS256).unwrap();
        let forged = tokens().verify(&format!("{message}.{signature}"), NOW_S);
        assert!(
            matches!(
                forged,
                Err(TokenError::BadSignature | TokenError::Malformed)
            ),
            "{name}: {forged:?}"
        );
        header["kid"] = json!(foreign.kid());
        let unknown = tokens().verify(&raw(&header, &good_claims()), NOW_S);
        assert!(
            matches!(unknown, Err(TokenError::UnknownKey | TokenError::Malformed)),
            "{name}: {unknown:?}"
        );
    }
}

#[test]
fn numbers_that_are_no_times_are_refused() {
    for (claim, values) in [
        (
            "exp",
            [
                "1e18",
                "1e308",
                "18446744073709551615",
                "18446744073709551616",
                "-1",
                "1.5e9",
                "null",
                "\"1800000900\"",
                "[1800000900]",
            ],
        ),
        (
            "iat",
            [
                "1e18",
                "-1",
                "0",
                "18446744073709551615",
                "null",
                "true",
                "{}",
                "[]",
                "\"now\"",
            ],
        ),
        (
            "nbf",
            [
                "1e18",
                "-1e18",
                "-1",
                "18446744073709551615",
                "null",
                "true",
                "{}",
                "[]",
                "\"now\"",
            ],
        ),
    ] {
        for value in values {
            let number: Value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            let verdict = verdict(&with(claim, number));
            assert!(verdict.is_err(), "{claim} {value}: {verdict:?}");
        }
    }
}

#[test]
fn every_claim_of_a_wrong_type_is_refused() {
    for claim in ["iss", "aud", "sub"] {
        for value in [
            json!(null),
            json!(7),
            json!(true),
            json!([]),
            json!({}),
            json!(""),
        ] {
            let verdict = verdict(&with(claim, value.clone()));
            assert!(verdict.is_err(), "{claim} {value}: {verdict:?}");
        }
    }
}

#[test]
fn a_token_between_services_opens_nothing_for_users() {
    // In everything like a service's token, signed with the users' key.
    let mut claims = json!({
        "iss": "orders", "aud": "inventory", "sub": "spiffe://shopapi/svc/orders",
        "iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 60,
    });
    assert_eq!(verdict(&claims), Err(TokenError::WrongIssuer));
    claims["iss"] = json!(ISSUER);
    assert_eq!(verdict(&claims), Err(TokenError::WrongAudience));
    let eddsa = raw(
        &json!({"alg": "EdDSA", "typ": "JWT", "kid": key(SECRET).kid()}),
        &claims,
    );
    assert_eq!(tokens().verify(&eddsa, NOW_S), Err(TokenError::UnknownKey));
}

#[test]
fn a_secret_that_can_be_guessed_is_taken_neither_at_the_start_nor_later() {
    let dir = tempfile::tempdir().unwrap();
    let (current, previous) = (dir.path().join("current"), dir.path().join("previous"));
    let sample = format!("sample {OTHER_SECRET}");
    let write = |now: &str, before: &str| {
        std::fs::write(&current, now).unwrap();
        std::fs::write(&previous, before).unwrap();
    };
    let load = || {
        UserKeys::load(
            UserSecret::File(current.clone()),
            Some(UserSecret::File(previous.clone())),
            |secret| secret.contains("sample").then_some("is out of a sample"),
        )
    };
    for (now, before) in [(&*sample, SECRET), (SECRET, &*sample)] {
        write(now, before);
        assert!(matches!(load(), Err(UserKeysError::Guessable(_))));
    }
    for (now, before) in [(&*sample, SECRET), (SECRET, &*sample)] {
        write(SECRET, "");
        let keys = load().unwrap();
        write(now, before);
        assert!(matches!(
            keys.look(),
            Look::Refused(UserKeysError::Guessable(_))
        ));
        assert_eq!(keys.now().signing_kid, key(SECRET).kid());
    }
    write(SECRET, "");
    let keys = load().unwrap();
    write(OTHER_SECRET, SECRET);
    assert!(matches!(keys.look(), Look::Replaced));
}

#[tokio::test]
async fn keys_in_files_are_replaced_without_a_restart_and_a_bad_one_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (current, previous) = (dir.path().join("current"), dir.path().join("previous"));
    std::fs::write(&current, format!("{SECRET}\n")).unwrap();
    std::fs::write(&previous, "").unwrap();
    let keys = UserKeys::load(
        UserSecret::File(current.clone()),
        Some(UserSecret::File(previous.clone())),
        |_| None,
    )
    .unwrap();
    let watching = tokio::spawn(keys.clone().watch());
    let live = UserTokens::new(keys.clone(), Duration::from_secs(60));
    let old = live.issue(customer(), NOW_S).unwrap().token;
    let until = async |kid: &str| {
        let replaced = async {
            while keys.now().signing_kid != kid {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), replaced)
            .await
            .expect("not replaced");
    };

    // First the retiring key, so that no look at the files sees the new one without the old one.
    std::fs::write(&previous, SECRET).unwrap();
    std::fs::write(&current, OTHER_SECRET).unwrap();
    until(key(OTHER_SECRET).kid()).await;
    assert_eq!(live.verify(&old, NOW_S), Ok(customer()));
    let fresh = live.issue(customer(), NOW_S).unwrap().token;
    assert_eq!(rotated().verify(&fresh, NOW_S), Ok(customer()));

    // A current key that is too short replaces nothing, whatever else changed.
    std::fs::write(&current, "short").unwrap();
    std::fs::write(&previous, "").unwrap();
    assert_eq!(live.verify(&fresh, NOW_S), Ok(customer()));
    std::fs::write(&current, OTHER_SECRET).unwrap();
    let gone = async {
        while live.verify(&old, NOW_S).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("still believed");
    assert_eq!(live.verify(&old, NOW_S), Err(TokenError::UnknownKey));
    watching.abort();
}

proptest! {
    #[test]
    fn no_text_is_a_token(text in "\\PC{0,300}") {
        prop_assert!(tokens().verify(&text, NOW_S).is_err());
    }

    #[test]
    fn one_changed_character_breaks_a_token(position in 0_usize..1000, replacement in "[A-Za-z0-9_-]") {
        let token = tokens().issue(customer(), NOW_S).unwrap().token;
        // The last character of a part carries unused bits, which a lenient decoder ignores.
        let position = position % token.len();
        let replaced = replacement.as_bytes()[0];
        let ends_part = token.as_bytes().get(position + 1).is_none_or(|next| *next == b'.');
        prop_assume!(!ends_part && token.as_bytes()[position] != b'.' && token.as_bytes()[position] != replaced);
        let mut bytes = token.into_bytes();
        bytes[position] = replaced;
        let forged = String::from_utf8(bytes).unwrap();
        prop_assert!(tokens().verify(&forged, NOW_S).is_err());
    }
}
