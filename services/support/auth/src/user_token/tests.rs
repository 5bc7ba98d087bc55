use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW_S: u64 = 1_800_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "fedcba9876543210fedcba9876543210";

fn key(secret: &str) -> UserKey {
    UserKey::new(secret).unwrap()
}

fn tokens() -> UserTokens {
    UserTokens::new(&key(SECRET), &[], Duration::from_secs(900))
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
    let both = UserTokens::new(&key(OTHER_SECRET), &[key(SECRET)], Duration::from_secs(60));

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
    let rotated = UserTokens::new(&key(OTHER_SECRET), &[key(SECRET)], Duration::from_secs(60));
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
