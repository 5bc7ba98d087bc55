//! Tokens that are signed with the users' real key and name it, each with one thing wrong: whatever is taken here was not looked at.

use devstack::{DEMO_USERS, Stack};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use shopapi_auth::service_token::SERVICE_ISSUER;
use shopapi_auth::{ISSUER, UserKey};

use super::{GOOD_ORDER, ORDERS, Wall, Want, request};
use crate::raw::{now_s, signer};

const AUDIENCE: &str = "shopapi.user";
/// What somebody else signs with.
const FOREIGN: &str = "fedcba9876543210fedcba9876543210";
/// 10¹⁸ seconds: an integer, and no time that anybody meets.
const FAR_S: u64 = 1_000_000_000_000_000_000;

/// Makes users' tokens as the gateway does.
pub(super) struct Mint {
    secret: String,
    kid: String,
    customer: String,
    now_s: u64,
    /// Real tokens of a service: for another service, and for nobody but users.
    of_a_service: Vec<String>,
}

impl Mint {
    pub(super) fn of(stack: &Stack) -> Self {
        let secret = stack.user_keys().secret().unwrap();
        let kid = UserKey::new(secret.clone()).unwrap().kid().to_owned();
        let customer = DEMO_USERS.split([',', ':']).nth(2).unwrap().to_owned();
        let (orders, now_s) = (signer(stack.pki(), "orders"), now_s());
        let of_a_service = ["inventory", "gateway", AUDIENCE]
            .map(|callee| orders.for_callee(callee, now_s).unwrap().to_string())
            .to_vec();
        Self {
            secret,
            kid,
            customer,
            now_s,
            of_a_service,
        }
    }

    /// A token with nothing wrong.
    pub(super) fn good(&self) -> String {
        self.with_claims(&self.claims())
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": self.customer,
            "iat": self.now_s, "nbf": self.now_s, "exp": self.now_s + 900,
        })
    }

    fn head(&self) -> Value {
        json!({"alg": "HS256", "typ": "JWT", "kid": self.kid})
    }

    fn with_claims(&self, claims: &Value) -> String {
        signed(&self.head(), claims, &self.secret, Algorithm::HS256)
    }

    fn with_head(&self, head: &Value) -> String {
        signed(head, &self.claims(), &self.secret, Algorithm::HS256)
    }

    /// What each claim cannot be.
    fn wrong_claims(&self) -> Vec<(&'static str, Vec<Value>)> {
        let mut claims = self.wrong_parties();
        claims.extend(self.wrong_times());
        claims
    }

    /// Whom a token is from, for and about.
    fn wrong_parties(&self) -> Vec<(&'static str, Vec<Value>)> {
        let customer = &self.customer;
        let audiences = vec![
            json!([AUDIENCE]),
            json!([AUDIENCE, "shopapi.orders"]),
            json!([]),
            json!({"0": AUDIENCE}),
            json!("shopapi.orders"),
            json!("gateway"),
            json!("SHOPAPI.USER"),
            json!(""),
            json!(null),
        ];
        let issuers = vec![
            json!(SERVICE_ISSUER),
            json!("https://issuer.example"),
            json!([ISSUER]),
            json!(""),
            json!(null),
        ];
        let subjects = vec![
            json!("root"),
            json!("spiffe://shopapi/svc/orders"),
            json!("00000000-0000-0000-0000-000000000000"),
            json!(customer.replace('-', "")),
            json!(format!("{{{customer}}}")),
            json!(format!("urn:uuid:{customer}")),
            json!(format!("{customer} ")),
            json!([customer]),
            json!(1),
            json!(""),
            json!(null),
        ];
        vec![("aud", audiences), ("iss", issuers), ("sub", subjects)]
    }

    fn wrong_times(&self) -> Vec<(&'static str, Vec<Value>)> {
        let (now_s, end) = (self.now_s, self.now_s + 900);
        let ends = vec![
            json!(now_s - 1),
            json!(0),
            json!(-1),
            json!(1e18),
            json!(FAR_S),
            json!(u64::MAX),
            json!(1e300),
            json!(now_s + 25 * 3600),
            json!(end.to_string()),
            json!([end]),
            json!(null),
        ];
        let starts = vec![
            json!(now_s + 600),
            json!(FAR_S),
            json!(-1),
            json!("now"),
            json!(null),
        ];
        // And so long ago that the token would live longer than any of ours.
        let issued = [starts.clone(), vec![json!(0)]].concat();
        vec![("exp", ends), ("nbf", starts), ("iat", issued)]
    }

    fn wrong_bodies(&self) -> Vec<(String, String)> {
        let mut tokens = Vec::new();
        for (claim, values) in self.wrong_claims() {
            let mut claims = self.claims();
            claims.as_object_mut().unwrap().remove(claim);
            tokens.push((format!("no {claim}"), self.with_claims(&claims)));
            for value in values {
                claims[claim] = value.clone();
                tokens.push((format!("{claim} {value}"), self.with_claims(&claims)));
            }
        }
        for claims in [json!({}), json!([]), json!(null), json!("claims")] {
            tokens.push((format!("claims {claims}"), self.with_claims(&claims)));
        }
        tokens
    }

    fn wrong_heads(&self) -> Vec<(String, String)> {
        let mut tokens = Vec::new();
        let head_with = |name: &str, value: Value| {
            let mut head = self.head();
            head[name] = value;
            head
        };
        for kid in [
            json!("00000000"),
            json!(""),
            json!("../../../../dev/null"),
            json!("' UNION SELECT 'x"),
            json!(self.kid.to_uppercase() + "0"),
            json!(7),
            json!([self.kid]),
            json!(null),
        ] {
            let token = self.with_head(&head_with("kid", kid.clone()));
            tokens.push((format!("kid {kid}"), token));
        }
        for name in ["kid", "alg"] {
            let mut head: Map<String, Value> = self.head().as_object().unwrap().clone();
            head.remove(name);
            tokens.push((format!("no {name}"), self.with_head(&Value::Object(head))));
        }
        // Over the very signature that is right for HS256.
        for alg in [
            "none", "None", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "hs256", "",
        ] {
            let token = self.with_head(&head_with("alg", json!(alg)));
            tokens.push((format!("alg {alg}"), token));
        }
        // And over that of the algorithm that is named.
        for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
            let head = head_with("alg", json!(name));
            let token = signed(&head, &self.claims(), &self.secret, algorithm);
            tokens.push((format!("signed with {name}"), token));
        }
        tokens
    }

    /// Keys that a token brings along, and whoever signs with another key under our name.
    fn foreign_keys(&self) -> Vec<(String, String)> {
        let theirs = UserKey::new(FOREIGN).unwrap();
        let jwk = json!({"kty": "oct", "alg": "HS256", "kid": theirs.kid(),
            "k": "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA"});
        let mut tokens = Vec::new();
        for (name, value) in [
            ("typ", json!("JWT")),
            ("jku", json!("http://127.0.0.1:1/keys.json")),
            ("jwk", jwk),
            ("x5u", json!("http://127.0.0.1:1/certificate.pem")),
            ("x5c", json!(["MIIB"])),
        ] {
            for kid in [self.kid.as_str(), theirs.kid()] {
                let head = json!({"alg": "HS256", "kid": kid, name: value});
                let token = signed(&head, &self.claims(), FOREIGN, Algorithm::HS256);
                tokens.push((format!("another key, {name}, kid {kid}"), token));
            }
            let head = json!({"alg": "HS256", "kid": theirs.kid(), name: value});
            let token = self.with_head(&head);
            tokens.push((format!("our key under their kid, {name}"), token));
        }
        let good = self.good();
        let mut claims = self.claims();
        claims["sub"] = json!("00000000-0000-7000-8000-0000000000ff");
        let other = self.with_claims(&claims);
        let (message, _) = other.rsplit_once('.').unwrap();
        let (_, signature) = good.rsplit_once('.').unwrap();
        let grafted = format!("{message}.{signature}");
        tokens.push(("the signature of another token".to_owned(), grafted));
        tokens
    }

    /// A good token but for its size: `bytes` more in a claim that nobody reads.
    fn padded(&self, bytes: usize) -> String {
        let mut claims = self.claims();
        claims["x"] = json!("x".repeat(bytes));
        self.with_claims(&claims)
    }
}

fn base64(value: &Value) -> String {
    let key = EncodingKey::from_secret(b"only the middle part is used");
    let token = jsonwebtoken::encode(&Header::default(), value, &key).unwrap();
    token.split('.').nth(1).unwrap().to_owned()
}

fn signed(head: &Value, claims: &Value, secret: &str, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64(head), base64(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

impl Wall {
    pub(super) fn signed_tokens(&mut self) {
        let mint = &self.mint;
        let mut tokens = mint.wrong_bodies();
        tokens.extend(mint.wrong_heads());
        tokens.extend(mint.foreign_keys());
        let of_a_service = mint.of_a_service.iter().cloned();
        tokens.extend(of_a_service.map(|token| ("a service's token".to_owned(), token)));
        tokens.push(("a token of 4 KiB".to_owned(), mint.padded(3 * 1024)));
        let (good, huge) = (mint.good(), mint.padded(48 * 1024));
        for (name, token) in tokens {
            let header = format!("authorization: Bearer {token}\r\n");
            self.by_nobody(format!("signed: {name}"), ORDERS, &header);
        }
        let other = self.token.clone();
        for (name, first, second) in [
            ("the same twice", &good, &good),
            ("two good ones", &good, &other),
        ] {
            let header =
                format!("authorization: Bearer {first}\r\nauthorization: Bearer {second}\r\n");
            self.by_nobody(format!("signed: {name}"), ORDERS, &header);
        }
        // 48 KiB are 64 KiB in base64: the head is over its limit before anybody looks at the token.
        let headers = format!("authorization: Bearer {huge}\r\ncontent-type: application/json\r\n");
        let bytes = request(ORDERS, &headers, GOOD_ORDER.as_bytes());
        self.add("signed: a token of 64 KiB", bytes, Want::Bare);
    }
}
