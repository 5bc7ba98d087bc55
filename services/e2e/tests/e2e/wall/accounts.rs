//! What registering, logging in, refreshing and logging out refuse.

use serde_json::json;

use super::{Wall, Want, request};

/// The call and its body. `LONG` stands for a password of 129 characters.
const INVALID: &[(&str, &str)] = &[
    ("register", r#"{"email":"x","password":"12345678"}"#),
    ("register", r#"{"email":"x@y.z","password":"short"}"#),
    ("register", r#"{"email":"x@y.z","password":"LONG"}"#),
    (
        "register",
        r#"{"email":"x@y.z\u0000","password":"12345678"}"#,
    ),
    (
        "register",
        r#"{"email":"x@y.z","password":"12345678","customer_id":"00000000-0000-7000-8000-000000000001"}"#,
    ),
    (
        "register",
        r#"{"email":"x@y.z","password":"12345678","password":"12345678"}"#,
    ),
    ("register", r#"{"email":"x@y.z","password":12345678}"#),
    ("register", r#"{"email":["x@y.z"],"password":"12345678"}"#),
    ("register", r#"{"email":"x@y.z"}"#),
    ("register", "{}"),
    ("login", "{}"),
    ("login", r#"{"email":"ada@example.com"}"#),
    ("login", r#"{"email":"ada@example.com","password":null}"#),
    (
        "login",
        r#"{"email":"ada@example.com","password":{"$ne":""}}"#,
    ),
    ("refresh", "{}"),
    ("refresh", r#"{"refresh_token":7}"#),
    ("refresh", r#"{"refresh_token":"x","access_token":"y"}"#),
    ("logout", r#"{"refresh_token":null}"#),
    ("logout", "[]"),
    ("register", r#"["x@y.z","12345678"]"#),
    ("login", r#"["ada@example.com","correct-horse"]"#),
    ("refresh", r#"["0000"]"#),
    ("logout", r#"["0000"]"#),
];

/// E-mail and password.
const STRANGERS: &[(&str, &str)] = &[
    ("ada@example.com", "wrong"),
    ("ada@example.com", ""),
    ("nobody@example.com", "correct-horse"),
    ("ada@example.com' --", "correct-horse"),
    ("", ""),
];

impl Wall {
    fn account(&mut self, call: &str, body: &str, want: Want) {
        let line = format!("POST /api/v1/auth/{call}");
        let bytes = request(&line, "content-type: application/json\r\n", body.as_bytes());
        self.add(format!("{call} {body:.60}"), bytes, want);
    }

    pub(super) fn accounts(&mut self) {
        for (call, body) in INVALID {
            let body = body.replace("LONG", &"p".repeat(129));
            self.account(call, &body, Want::Problem(400, "invalid-request"));
        }
        for (email, password) in STRANGERS {
            let body = json!({"email": email, "password": password}).to_string();
            self.account("login", &body, Want::Problem(401, "invalid-credentials"));
        }
        for token in [
            "",
            "x",
            &"0".repeat(64),
            &"F".repeat(64),
            &"0".repeat(10_000),
            "' OR 1=1",
        ] {
            let body = json!({"refresh_token": token}).to_string();
            self.account(
                "refresh",
                &body,
                Want::Problem(401, "invalid-refresh-token"),
            );
        }
        let taken = json!({"email": " ADA@example.com", "password": "another one"});
        self.account(
            "register",
            &taken.to_string(),
            Want::Problem(409, "email-taken"),
        );
    }
}
