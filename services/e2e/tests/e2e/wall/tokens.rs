//! Who is asking: tokens that are none, and headers that pretend.

use super::{GOOD_ORDER, ORDERS, Wall, Want, request};

/// `{"alg":"none"}`, the same with a type, `HS512` and `RS256`.
const HEADS: &[&str] = &[
    "eyJhbGciOiJub25lIn0",
    "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
];

/// They change nothing about who is asking: without a token it is nobody.
const FORGED: &[&str] = &[
    "x-forwarded-for: 127.0.0.1",
    "x-real-ip: 127.0.0.1",
    "forwarded: for=127.0.0.1",
    "x-forwarded-host: shop",
    "x-original-url: /api/v1/orders",
    "x-rewrite-url: /livez",
    "x-http-method-override: GET",
    "x-customer-id: 00000000-0000-7000-8000-000000000001",
    "x-user: ada@example.com",
    "traceparent: 00-00000000000000000000000000000000-0000000000000000-01",
    "traceparent: nonsense",
    "traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate: a=b",
    "baggage: customer=1",
    "host-override: x",
];

const NOBODY: Want = Want::Problem(401, "unauthenticated");

/// Variations of a good token that are no good.
fn forgeries(token: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let (head, claims, signature) = (parts[0], parts[1], parts[2]);
    let mut forged = Vec::new();
    for head in HEADS {
        forged.push(format!("{head}.{claims}."));
        forged.push(format!("{head}.{claims}.{signature}"));
    }
    forged.extend([
        format!("{head}.{claims}"),
        format!("{head}.{claims}."),
        format!("{head}..{signature}"),
        format!(".{claims}.{signature}"),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}="),
        token[..token.len() - 2].to_owned(),
        token.to_uppercase(),
        "null".to_owned(),
        "'; DROP TABLE accounts; --".to_owned(),
        "a".repeat(2049),
    ]);
    forged
}

/// A good token in the wrong place.
fn misplaced(token: &str) -> Vec<String> {
    vec![
        String::new(),
        "authorization: \r\n".to_owned(),
        "authorization: Bearer\r\n".to_owned(),
        "authorization: Basic YWRhOmFkYQ==\r\n".to_owned(),
        format!("authorization: {token}\r\n"),
        format!("authorization: Token {token}\r\n"),
        format!("authorization: Bearer {token}, Bearer {token}\r\n"),
        format!("authorization: Bearer {token}\r\nauthorization: Bearer {token}\r\n"),
        format!("authorization: Bearer x\r\nauthorization: Bearer {token}\r\n"),
        format!("cookie: access_token={token}\r\n"),
        format!("x-authorization: Bearer {token}\r\n"),
    ]
}

impl Wall {
    /// A good order, but for who is asking.
    pub(super) fn by_nobody(&mut self, name: impl Into<String>, line: &str, headers: &str) {
        let headers = format!("{headers}content-type: application/json\r\n");
        let bytes = request(line, &headers, GOOD_ORDER.as_bytes());
        self.add(name, bytes, NOBODY);
    }

    pub(super) fn tokens(&mut self) {
        let token = self.token.clone();
        for (number, forged) in forgeries(&token).iter().enumerate() {
            let header = format!("authorization: Bearer {forged}\r\n");
            self.by_nobody(format!("forged token {number}"), ORDERS, &header);
        }
        for (number, header) in misplaced(&token).iter().enumerate() {
            self.by_nobody(format!("misplaced token {number}"), ORDERS, header);
        }
        let in_query = format!("{ORDERS}?access_token={token}");
        self.by_nobody("a token in the query", &in_query, "");
        for header in FORGED {
            self.by_nobody(*header, ORDERS, &format!("{header}\r\n"));
        }
    }
}
