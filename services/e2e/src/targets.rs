//! What the fuzzers call and what the committed corpora are replayed through: the shipped readers of bytes from outside, each with what
//! must hold whatever the bytes are. A panic is a finding.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use order_saga::Installation;
use shopapi_auth::service_token::{CLOCK_SKEW_S, LIFETIME_MAX_S, ServiceVerifier};
use shopapi_auth::{CustomerId, Email, KeyRing, RefreshToken, UserKey, UserKeys, UserTokens};
use shopapi_proto::subjects;
use uuid::Uuid;

/// The time at which tokens are looked at.
pub const NOW_S: u64 = 1_800_000_000;
/// The key that good tokens are signed with.
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Whom good tokens name.
const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
/// The installation of good events.
const INSTALLATION: Installation = Installation(Uuid::from_u128(7));

/// A token of orders for inventory, good at [`NOW_S`]. The private halves of the keys in `keys/` exist no more: nothing else can become one.
pub const GOOD_SERVICE_TOKEN: &str = include_str!("../keys/orders-to-inventory.jwt");
/// Whose keys are in `keys/`.
const CALLERS: [&str; 2] = ["gateway", "orders"];

/// A target and its name; its corpus is in `corpus/<name>/`.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("http_body", http_body),
    ("jwt", jwt),
    ("service_token", service_token),
    ("event", event),
    ("configuration", configuration),
];

/// The bodies of all calls: an order that passes keeps every limit, and has one fingerprint.
///
/// # Panics
/// On a finding.
pub fn http_body(bytes: &[u8]) {
    let first = shopapi_gateway::fuzzing::read_body(bytes, CUSTOMER);
    assert_eq!(first, shopapi_gateway::fuzzing::read_body(bytes, CUSTOMER));
}

/// Access tokens, refresh tokens and e-mails: only what was signed here is believed, and only for whom it was.
///
/// # Panics
/// On a finding.
pub fn jwt(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(tokens) = tokens() else {
        return;
    };
    if let Ok(customer) = tokens.verify(text, NOW_S) {
        assert_eq!(customer, CUSTOMER, "a token was forged");
        assert!(
            tokens.verify(text, NOW_S + 24 * 3600).is_err(),
            "a token without an end"
        );
    }
    if let Ok(email) = Email::parse(text) {
        assert_eq!(
            Email::parse(email.as_str()),
            Ok(email),
            "an e-mail of two spellings"
        );
    }
    if let Some(token) = RefreshToken::parse(&text.into()) {
        assert_eq!(token.expose(), text);
    }
}

/// A token that is good at [`NOW_S`], as a seed for mutations.
#[must_use]
pub fn good_token() -> Option<String> {
    let issued = tokens().ok()?.issue(CUSTOMER, NOW_S).ok()?;
    Some(issued.token)
}

fn tokens() -> Result<UserTokens, shopapi_auth::UserKeyError> {
    let ring = KeyRing::new(&UserKey::new(SECRET)?, None);
    Ok(UserTokens::new(
        UserKeys::fixed(ring),
        Duration::from_secs(900),
    ))
}

/// Tokens between services: what is believed names the owner of a known key, to one callee, for a minute and a clock's error, and the same when it is seen again.
///
/// # Panics
/// On a finding, and without the keys.
pub fn service_token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let [Some(inventory), Some(payments)] = &*VERIFIERS else {
        unreachable!("the public keys in keys/ are not there");
    };
    let first = inventory.verify(text, NOW_S);
    assert_eq!(first, inventory.verify(text, NOW_S), "remembered otherwise");
    if let Ok(service) = first {
        assert!(CALLERS.contains(&&*service), "a token of nobody");
        assert!(
            payments.verify(text, NOW_S).is_err(),
            "a token for two callees"
        );
        // By a caller whose clock is ahead, at the latest.
        let ended = NOW_S + CLOCK_SKEW_S + LIFETIME_MAX_S;
        assert!(
            inventory.verify(text, ended).is_err(),
            "a token without an end"
        );
    }
}

/// What believes the keys in `keys/`, for two callees.
static VERIFIERS: LazyLock<[Option<ServiceVerifier>; 2]> = LazyLock::new(|| {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys");
    ["inventory", "payments"].map(|callee| ServiceVerifier::load(callee, keys.clone()).ok())
});

/// The payloads of events; the first byte picks the subject. What is read is read the same again.
///
/// # Panics
/// On a finding.
pub fn event(bytes: &[u8]) {
    let Some((pick, payload)) = bytes.split_first() else {
        return;
    };
    let of_payments = [
        subjects::PAYMENTS_SUCCEEDED,
        subjects::PAYMENTS_FAILED,
        subjects::PAYMENTS_REFUNDED,
        subjects::PAYMENTS_REFUND_FAILED,
    ];
    match of_payments.get(usize::from(*pick) % (of_payments.len() + 1)) {
        Some(subject) => {
            let read = || shopapi_orders::reads_event(subject, payload, INSTALLATION);
            assert_eq!(read(), read());
        }
        None => {
            let read = || shopapi_payments::reads_event(payload);
            assert_eq!(read(), read());
        }
    }
}

/// `KEY=VALUE` lines as the environment of every command. Lines that name files are left out: a fuzzer has no business there.
///
/// # Panics
/// On a finding.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            !line
                .split_once('=')
                .is_some_and(|(_, value)| value.contains('/') && !value.contains("://"))
        })
        .collect();
    let _ = shopapi::starts_with(&lines.join("\n"));
}
