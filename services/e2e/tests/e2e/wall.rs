//! The wall: what arrives on a socket and is not a proper call. Every input is refused in bounded time, by name once it is past the router
//! and bare before it, and no row changes in any database. The same calls, put right, are taken.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rows;
use crate::world::World;

/// Above every limit of the gateway: 30 s for a head, 10 s for a body.
const REFUSED_WITHIN: Duration = Duration::from_secs(45);
const ORDERS: &str = "POST /api/v1/orders";
const GOOD_ORDER: &str = r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok"}"#;

/// What has to come back.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// Past the router: this status and this problem type.
    Problem(u16, &'static str),
    /// Before it: a bare 4xx or a closed connection.
    Bare,
}

struct Input {
    name: String,
    bytes: Vec<u8>,
    want: Want,
}

/// The inputs so far, and the token that makes everything else about them right.
struct Wall {
    token: String,
    inputs: Vec<Input>,
}

/// A request with a length and one answer.
fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{line} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Wall {
    fn bearer(&self) -> String {
        format!("authorization: Bearer {}\r\n", self.token)
    }

    /// The headers of a good order.
    fn headers(&self) -> String {
        format!("{}content-type: application/json\r\n", self.bearer())
    }

    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>, want: Want) {
        let (name, bytes) = (name.into(), bytes.into());
        self.inputs.push(Input { name, bytes, want });
    }

    /// An order that is right but for its body.
    fn body(&mut self, name: &str, body: impl AsRef<[u8]>, status: u16, kind: &'static str) {
        let bytes = request(ORDERS, &self.headers(), body.as_ref());
        self.add(format!("body: {name}"), bytes, Want::Problem(status, kind));
    }

    /// An order that is right but for more headers.
    fn header(&mut self, header: &str, want: Want) {
        let headers = format!("{}{header}\r\n", self.headers());
        self.add(
            header.to_owned(),
            request(ORDERS, &headers, GOOD_ORDER.as_bytes()),
            want,
        );
    }

    /// A good order with the framing spelled out: `head` follows the other headers.
    fn framed(&mut self, name: &str, head: &str, body: &str, want: Want) {
        let bytes = format!(
            "{ORDERS} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{}{head}\r\n{body}",
            self.headers()
        );
        self.add(format!("framing: {name}"), bytes, want);
    }

    fn framings(&mut self) {
        let length = GOOD_ORDER.len();
        let chunked = format!("{length:x}\r\n{GOOD_ORDER}\r\n0\r\n\r\n");
        let smuggled = format!(
            "0\r\n\r\n{ORDERS} HTTP/1.1\r\nhost: shop\r\n{}content-length: {length}\r\n\r\n{GOOD_ORDER}",
            self.headers()
        );
        let refused = Want::Problem(411, "length-required");
        for (name, head, body, want) in [
            (
                "conflicting lengths",
                format!("content-length: {length}\r\ncontent-length: 5\r\n"),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "lengths in a list",
                format!("content-length: {length}, 5\r\n"),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a negative length",
                "content-length: -5\r\n".to_owned(),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a signed length",
                format!("content-length: +{length}\r\n"),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a hexadecimal length",
                "content-length: 0x40\r\n".to_owned(),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "an empty length",
                "content-length: \r\n".to_owned(),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a length beyond u64",
                "content-length: 99999999999999999999\r\n".to_owned(),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a length beyond the limit",
                "content-length: 9999999999\r\n".to_owned(),
                GOOD_ORDER,
                Want::Problem(413, "body-too-large"),
            ),
            (
                "length and chunked",
                format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
                &chunked,
                refused,
            ),
            (
                "chunked and length",
                format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
                &chunked,
                refused,
            ),
            (
                "chunked, then a second call",
                format!(
                    "content-length: {}\r\ntransfer-encoding: chunked\r\n",
                    smuggled.len()
                ),
                &smuggled,
                refused,
            ),
            (
                "length 0, then a second call",
                "transfer-encoding: chunked\r\ncontent-length: 0\r\n".to_owned(),
                &chunked,
                refused,
            ),
            (
                "chunked alone",
                "transfer-encoding: chunked\r\n".to_owned(),
                &chunked,
                refused,
            ),
            (
                "chunked twice",
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n".to_owned(),
                &chunked,
                refused,
            ),
            (
                "chunked in capitals",
                "Transfer-Encoding: CHUNKED\r\n".to_owned(),
                &chunked,
                refused,
            ),
            (
                "gzip, chunked",
                "transfer-encoding: gzip, chunked\r\n".to_owned(),
                &chunked,
                refused,
            ),
            (
                "chunked, identity",
                "transfer-encoding: chunked, identity\r\n".to_owned(),
                &chunked,
                Want::Bare,
            ),
            (
                "an unknown encoding",
                "transfer-encoding: xchunked\r\n".to_owned(),
                &chunked,
                Want::Bare,
            ),
            (
                "a bad chunk size",
                "transfer-encoding: chunked\r\n".to_owned(),
                "zz\r\n{}\r\n0\r\n\r\n",
                refused,
            ),
            (
                "a space before the colon",
                format!("content-length : {length}\r\n"),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a folded header",
                format!("x-a: b\r\n c\r\ncontent-length: {length}\r\n"),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a header without a colon",
                "nonsense\r\n".to_owned(),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a header without a name",
                ": x\r\n".to_owned(),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a zero byte in a header",
                format!("x-a: b\0c\r\ncontent-length: {length}\r\n"),
                GOOD_ORDER,
                Want::Bare,
            ),
            (
                "a second host",
                format!("host: other\r\ncontent-length: {length}\r\n"),
                GOOD_ORDER,
                Want::Problem(400, "invalid-request"),
            ),
        ] {
            self.framed(name, &head, body, want);
        }
        let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
        self.framed(
            "200 headers",
            &format!("{many}content-length: {length}\r\n"),
            GOOD_ORDER,
            Want::Bare,
        );
        self.framed(
            "a header of 40 KiB",
            &format!("x-a: {}\r\n", "y".repeat(40 * 1024)),
            "",
            Want::Bare,
        );
        // With a token of 64 KiB the head is over its limit before anybody looks at the token.
        let long = format!("authorization: Bearer {}\r\n", "a".repeat(64 * 1024));
        self.add(
            "a token of 64 KiB",
            request("GET /api/v1/orders", &long, b""),
            Want::Bare,
        );
    }

    fn starts(&mut self) {
        let rest = format!(
            "\r\nhost: shop\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{GOOD_ORDER}",
            self.headers(),
            GOOD_ORDER.len()
        );
        for line in [
            "POST  /api/v1/orders HTTP/1.1",
            "POST /api/v1/orders",
            "POST /api/v1/orders HTTP/1.2",
            "POST /api/v1/orders HTTP/2.0",
            "POST /api/v1/orders HTTP/3",
            "POST /api/v1/orders http/1.1",
            "PO ST /api/v1/orders HTTP/1.1",
            "P\0ST /api/v1/orders HTTP/1.1",
            "POST /api/v1/ord ers HTTP/1.1",
            "POST /api/v1/orders\0 HTTP/1.1",
            "POST /api/v1/orders\t HTTP/1.1",
            " POST /api/v1/orders HTTP/1.1",
            "POST api/v1/orders HTTP/1.1",
            "\u{1}\u{2}\u{3}",
        ] {
            self.add(
                format!("line: {line:?}"),
                format!("{line}{rest}"),
                Want::Bare,
            );
        }
        let long = "a".repeat(40 * 1024);
        self.add(
            "a path of 40 KiB",
            format!("POST /{long} HTTP/1.1{rest}"),
            Want::Bare,
        );
        let no_host = format!(
            "{ORDERS} HTTP/1.1\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{GOOD_ORDER}",
            self.headers(),
            GOOD_ORDER.len()
        );
        self.add("no host", no_host, Want::Problem(400, "invalid-request"));
        let old = format!(
            "{ORDERS} HTTP/1.0\r\nhost: shop\r\n{}transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            self.headers()
        );
        self.add("HTTP/1.0 with chunks", old, Want::Bare);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        self.add("HTTP/2 with prior knowledge", preface.clone(), Want::Bare);
        let upgrade = [
            preface,
            b"\0\0\x12\x01\x05\0\0\0\x01".to_vec(),
            vec![0x82; 18],
        ]
        .concat();
        self.add("HTTP/2 with a truncated HEADERS frame", upgrade, Want::Bare);
        let hello = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            .to_vec();
        self.add("a TLS hello on the plain port", hello, Want::Bare);
        self.add(
            "random bytes",
            (0..=255_u8)
                .cycle()
                .skip(131)
                .take(2048)
                .collect::<Vec<_>>(),
            Want::Bare,
        );
        self.add("zero bytes", vec![0; 1024], Want::Bare);
    }

    fn bodies(&mut self) {
        let malformed = [
            ("empty", ""),
            ("half an object", "{"),
            ("half a string", "{\"items"),
            ("a trailing comma", r#"{"items":[],}"#),
            ("single quotes", "{'items':[]}"),
            ("a comment", "{/**/}"),
            ("NaN", r#"{"items":[{"sku":"PLENTY","quantity":NaN}]}"#),
            (
                "Infinity",
                r#"{"items":[{"sku":"PLENTY","quantity":Infinity}]}"#,
            ),
            (
                "1e400",
                r#"{"items":[{"sku":"PLENTY","quantity":1e400}],"payment_method":"tok_ok"}"#,
            ),
            (
                "-1e400",
                r#"{"items":[{"sku":"PLENTY","quantity":-1e400}],"payment_method":"tok_ok"}"#,
            ),
            (
                "a leading zero",
                r#"{"items":[{"sku":"PLENTY","quantity":01}]}"#,
            ),
            ("a plus", r#"{"items":[{"sku":"PLENTY","quantity":+1}]}"#),
            (
                "hexadecimal",
                r#"{"items":[{"sku":"PLENTY","quantity":0x1}]}"#,
            ),
            ("a byte order mark", "\u{feff}{}"),
            (
                "a lone surrogate",
                r#"{"items":[{"sku":"\ud800","quantity":1}],"payment_method":"tok_ok"}"#,
            ),
            (
                "a raw newline in a string",
                "{\"payment_method\":\"tok\n_ok\"}",
            ),
        ];
        for (name, body) in malformed {
            self.body(name, body, 400, "malformed-json");
        }
        for (name, body) in [
            (
                "invalid UTF-8",
                &b"{\"payment_method\":\"tok_\xff\xfe\"}"[..],
            ),
            ("an overlong slash", b"{\"payment_method\":\"tok\xc0\xaf\"}"),
            ("UTF-16", b"\xff\xfe{\0}\0"),
            ("zero bytes", b"\0\0\0\0"),
            (
                "gzip without saying so",
                b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0",
            ),
        ] {
            self.body(name, body, 400, "malformed-json");
        }
        let invalid = [
            ("an array", "[]".to_owned()), ("null", "null".to_owned()), ("a number", "7".to_owned()), ("two documents", format!("{GOOD_ORDER}{GOOD_ORDER}")),
            ("10,000 levels", "[".repeat(10_000)), ("deep items", format!(r#"{{"items":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000))),
            ("deep objects", r#"{"items":"#.repeat(2_000)),
            ("items twice", r#"{"items":[],"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok"}"#.to_owned()),
            ("quantity twice", r#"{"items":[{"sku":"PLENTY","quantity":1,"quantity":2}],"payment_method":"tok_ok"}"#.to_owned()),
            ("payment_method twice", r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","payment_method":"tok_ok"}"#.to_owned()),
            ("an escaped second key", r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","payment\u005fmethod":"tok_ok"}"#.to_owned()),
            ("an unknown field", r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","total_cents":1}"#.to_owned()),
            ("an unknown field of a line", r#"{"items":[{"sku":"PLENTY","quantity":1,"unit_price_cents":1}],"payment_method":"tok_ok"}"#.to_owned()),
            ("__proto__", r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","__proto__":{}}"#.to_owned()),
            ("a key in capitals", r#"{"Items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok"}"#.to_owned()),
            ("no fields", "{}".to_owned()), ("items null", r#"{"items":null,"payment_method":"tok_ok"}"#.to_owned()),
        ];
        for (name, body) in invalid {
            self.body(name, body, 400, "invalid-request");
        }
        for quantity in [
            "0",
            "-1",
            "10001",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "1e300",
            "1.5",
            "1.0",
            "1e2",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "{}",
        ] {
            let body = format!(
                r#"{{"items":[{{"sku":"PLENTY","quantity":{quantity}}}],"payment_method":"tok_ok"}}"#
            );
            self.body(
                &format!("quantity {quantity}"),
                body,
                400,
                "invalid-request",
            );
        }
        for sku in [
            "",
            " ",
            "PLENTY ",
            "PLENTY\\u0000",
            "../PLENTY",
            "PLENTY'--",
            "PLENTY;DROP TABLE orders",
            "％PLENTY",
            "\\ud83d\\ude00",
            &"x".repeat(65),
        ] {
            let body = format!(
                r#"{{"items":[{{"sku":"{sku}","quantity":1}}],"payment_method":"tok_ok"}}"#
            );
            self.body(&format!("sku {sku:.20}"), body, 400, "invalid-request");
        }
        for method in [
            "",
            "4111 1111 1111 1111",
            "tok_ok\\n",
            "tok_ok\\u0000",
            "'; SELECT 1",
            &"x".repeat(65),
        ] {
            let body = format!(
                r#"{{"items":[{{"sku":"PLENTY","quantity":1}}],"payment_method":"{method}"}}"#
            );
            self.body(
                &format!("payment method {method:.20}"),
                body,
                400,
                "invalid-request",
            );
        }
        let foreign = r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","customer_id":"00000000-0000-7000-8000-00000000ffff"}"#;
        self.body("another customer", foreign, 403, "customer-mismatch");
        let padded = format!(
            "{GOOD_ORDER}{}",
            " ".repeat(64 * 1024 + 1 - GOOD_ORDER.len())
        );
        self.body("one byte over 64 KiB", padded, 413, "body-too-large");
        let many: Vec<Value> = (0..101)
            .map(|n| json!({"sku": format!("S{n}"), "quantity": 1}))
            .collect();
        self.body(
            "101 lines",
            json!({"items": many, "payment_method": "tok_ok"}).to_string(),
            400,
            "invalid-request",
        );
    }

    fn types(&mut self) {
        let bearer = self.bearer();
        let refused = Want::Problem(415, "unsupported-media-type");
        for content_type in [
            "",
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/jsonp",
            "application/json, text/plain",
            "*/*",
            "json",
        ] {
            let headers = format!("{bearer}content-type: {content_type}\r\n");
            self.add(
                format!("content-type: {content_type}"),
                request(ORDERS, &headers, GOOD_ORDER.as_bytes()),
                refused,
            );
        }
        self.add(
            "no content-type",
            request(ORDERS, &bearer, GOOD_ORDER.as_bytes()),
            refused,
        );
        self.header("content-type: text/plain", refused);
        for encoding in [
            "gzip",
            "deflate",
            "br",
            "zstd",
            "gzip, gzip",
            "identity, gzip",
            "x",
        ] {
            self.header(&format!("content-encoding: {encoding}"), refused);
        }
        for key in ["", "two words", "schlüssel", &"k".repeat(256)] {
            self.header(
                &format!("idempotency-key: {key}"),
                Want::Problem(400, "invalid-request"),
            );
        }
        self.header(
            "idempotency-key: a\r\nidempotency-key: b",
            Want::Problem(400, "invalid-request"),
        );
    }

    fn tokens(&mut self) {
        let refused = Want::Problem(401, "unauthenticated");
        let token = self.token.clone();
        let parts: Vec<&str> = token.split('.').collect();
        let (head, claims, signature) = (parts[0], parts[1], parts[2]);
        // {"alg":"none"}, {"alg":"none","typ":"JWT"}, {"alg":"HS512","typ":"JWT"}, {"alg":"RS256","typ":"JWT"}
        let headers = [
            "eyJhbGciOiJub25lIn0",
            "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
            "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
            "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
        ];
        let mut forged: Vec<String> = headers
            .iter()
            .flat_map(|forged| {
                [
                    format!("{forged}.{claims}."),
                    format!("{forged}.{claims}.{signature}"),
                ]
            })
            .collect();
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
        let mut values: Vec<String> = forged
            .iter()
            .map(|token| format!("authorization: Bearer {token}\r\n"))
            .collect();
        values.extend([
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
        ]);
        for (number, value) in values.iter().enumerate() {
            let headers = format!("{value}content-type: application/json\r\n");
            self.add(
                format!("token {number}"),
                request(ORDERS, &headers, GOOD_ORDER.as_bytes()),
                refused,
            );
        }
        let in_query = format!("POST /api/v1/orders?access_token={token}");
        self.add(
            "a token in the query",
            request(
                &in_query,
                "content-type: application/json\r\n",
                GOOD_ORDER.as_bytes(),
            ),
            refused,
        );
    }

    fn paths(&mut self) {
        let headers = self.headers();
        for path in [
            "//api/v1/orders",
            "/api//v1/orders",
            "/api/v1//orders",
            "/api/v1/orders/",
            "/api/v1/orders//",
            "/api/v1/../v1/orders",
            "/api/v1/./orders",
            "/../api/v1/orders",
            "/api/v1/orders/..",
            "/api/v1/%2e%2e/v1/orders",
            "/%2e%2e/api/v1/orders",
            "/api/v1%2forders",
            "/api/v1/%6frders",
            "/api/v1/orders%00",
            "/api/v1/orders%20",
            "/api/v1/orders.",
            "/api/v1/orders..",
            "/api/v1/orders;x=1",
            "/API/V1/ORDERS",
            "/api/v1/Orders",
            "/api/v1/orders%2f",
            "/api/v1/orders.json",
            "/api/v2/orders",
            "/api\\v1\\orders",
            "/api/v1/orders/%2e",
            "/",
            "/etc/passwd",
            "/api/v1/orders/1/../../orders",
            "/.git/config",
        ] {
            self.add(
                format!("path {path}"),
                request(&format!("POST {path}"), &headers, GOOD_ORDER.as_bytes()),
                Want::Problem(404, "not-found"),
            );
        }
        for id in [
            "0",
            "-1",
            "abc",
            "1.5",
            "1e3",
            "9223372036854775808",
            "%20",
            "%00",
            "7%00",
            "7%2f8",
            "%ff",
            "0x10",
            "１",
            "999999999",
        ] {
            for call in [
                "GET /api/v1/orders/{id}",
                "GET /api/v1/orders/{id}/timeline",
                "POST /api/v1/orders/{id}/cancel",
                "POST /api/v1/orders/{id}/refund",
            ] {
                let line = call.replace("{id}", id);
                self.add(
                    line.clone(),
                    request(&line, &headers, b""),
                    Want::Problem(404, "order-not-found"),
                );
            }
        }
        for line in [
            "DELETE /api/v1/orders",
            "PUT /api/v1/orders",
            "PATCH /api/v1/orders",
            "OPTIONS /api/v1/orders",
            "TRACE /api/v1/orders",
            "QUERY /api/v1/orders",
            "post /api/v1/orders",
            "PUT /api/v1/orders/1",
            "DELETE /api/v1/orders/1",
            "GET /api/v1/orders/1/cancel",
            "GET /api/v1/orders/1/refund",
            "GET /api/v1/auth/login",
            "GET /api/v1/auth/register",
            "PUT /api/v1/auth/refresh",
            "DELETE /api/v1/auth/logout",
            "POST /readyz",
            "POST /livez",
            "POST /api/v1/products",
        ] {
            self.add(
                line.to_owned(),
                request(line, &headers, GOOD_ORDER.as_bytes()),
                Want::Problem(405, "method-not-allowed"),
            );
        }
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=x",
            "limit=1&limit=2",
            "limit=99999999999999999999",
            "cursor=x",
            "cursor=-5",
            "cursor=0x1",
            "cursor=1.5",
            "cursor=9223372036854775808",
            "cursor=%00",
            "cursor=1'--",
            "cursor=AAAA",
            "cursor=%ff",
            "status=paid",
            "status=BOUGHT",
            "status=",
            "page=2",
            "customer_id=00000000-0000-7000-8000-000000000002",
        ] {
            let line = format!("GET /api/v1/orders?{query}");
            self.add(
                line.clone(),
                request(&line, &headers, b""),
                Want::Problem(400, "invalid-request"),
            );
        }
        for query in [
            "limit=0",
            "limit=101",
            "cursor=a%20b",
            "cursor=%00",
            "cursor=%27%20OR%201",
            "offset=1",
            "sku=PLENTY",
        ] {
            let line = format!("GET /api/v1/products?{query}");
            self.add(
                line.clone(),
                request(&line, &headers, b""),
                Want::Problem(400, "invalid-request"),
            );
        }
        // A target that names a host is read as its path: it opens nothing that the path alone does not.
        for line in [
            "POST http://evil.example/api/v1/nothing",
            "POST http://169.254.169.254/latest/meta-data",
            "POST https://shop/",
        ] {
            self.add(
                line.to_owned(),
                request(line, &headers, GOOD_ORDER.as_bytes()),
                Want::Problem(404, "not-found"),
            );
        }
        let elsewhere = request(
            "POST http://evil.example/api/v1/orders",
            "content-type: application/json\r\n",
            GOOD_ORDER.as_bytes(),
        );
        self.add(
            "an absolute target without a token",
            elsewhere,
            Want::Problem(401, "unauthenticated"),
        );
    }

    fn forged_headers(&mut self) {
        // They change nothing about who is asking: without a token it is nobody.
        for header in [
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
        ] {
            let headers = format!("content-type: application/json\r\n{header}\r\n");
            self.add(
                header.to_owned(),
                request(ORDERS, &headers, GOOD_ORDER.as_bytes()),
                Want::Problem(401, "unauthenticated"),
            );
        }
    }

    fn accounts(&mut self) {
        let json = "content-type: application/json\r\n";
        for (call, body) in [
            ("register", r#"{"email":"x","password":"12345678"}"#.to_owned()), ("register", r#"{"email":"x@y.z","password":"short"}"#.to_owned()),
            ("register", format!(r#"{{"email":"x@y.z","password":"{}"}}"#, "p".repeat(129))), ("register", r#"{"email":"x@y.z\u0000","password":"12345678"}"#.to_owned()),
            ("register", r#"{"email":"x@y.z","password":"12345678","customer_id":"00000000-0000-7000-8000-000000000001"}"#.to_owned()),
            ("register", r#"{"email":"x@y.z","password":"12345678","password":"12345678"}"#.to_owned()), ("register", r#"{"email":"x@y.z","password":12345678}"#.to_owned()),
            ("register", r#"{"email":["x@y.z"],"password":"12345678"}"#.to_owned()), ("register", r#"{"email":"x@y.z"}"#.to_owned()), ("register", "{}".to_owned()),
            ("login", "{}".to_owned()), ("login", r#"{"email":"ada@example.com"}"#.to_owned()), ("login", r#"{"email":"ada@example.com","password":null}"#.to_owned()),
            ("login", r#"{"email":"ada@example.com","password":{"$ne":""}}"#.to_owned()), ("refresh", "{}".to_owned()), ("refresh", r#"{"refresh_token":7}"#.to_owned()),
            ("refresh", r#"{"refresh_token":"x","access_token":"y"}"#.to_owned()), ("logout", r#"{"refresh_token":null}"#.to_owned()), ("logout", "[]".to_owned()),
        ] {
            let line = format!("POST /api/v1/auth/{call}");
            self.add(format!("{call} {body:.60}"), request(&line, json, body.as_bytes()), Want::Problem(400, "invalid-request"));
        }
        for (email, password) in [
            ("ada@example.com", "wrong"),
            ("ada@example.com", ""),
            ("nobody@example.com", "correct-horse"),
            ("ada@example.com' --", "correct-horse"),
            ("", ""),
        ] {
            let body = json!({"email": email, "password": password}).to_string();
            self.add(
                format!("login {email} {password}"),
                request("POST /api/v1/auth/login", json, body.as_bytes()),
                Want::Problem(401, "invalid-credentials"),
            );
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
            self.add(
                format!("refresh {token:.20}"),
                request("POST /api/v1/auth/refresh", json, body.as_bytes()),
                Want::Problem(401, "invalid-refresh-token"),
            );
        }
        let taken = json!({"email": " ADA@example.com", "password": "another one"}).to_string();
        self.add(
            "register a taken e-mail",
            request("POST /api/v1/auth/register", json, taken.as_bytes()),
            Want::Problem(409, "email-taken"),
        );
    }
}

/// Everything that comes back until the connection is closed, and how long that took.
async fn exchange(gateway: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    // The gateway may close before everything is written.
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream, REFUSED_WITHIN)
        .await
        .expect("not refused in bounded time")
}

async fn read_to_end(stream: &mut TcpStream, within: Duration) -> Option<String> {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(within, stream.read_to_end(&mut answer)).await;
    // A reset after the answer is a close as well.
    read.ok()
        .map(|_| String::from_utf8_lossy(&answer).into_owned())
}

fn status(answer: &str) -> Option<u16> {
    answer
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| answer.strip_prefix("HTTP/1.0 "))?
        .get(..3)?
        .parse()
        .ok()
}

fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// What is wrong with the answer to an input, if anything.
fn complaint(input: &Input, answer: &str) -> Option<String> {
    let Input { name, want, .. } = input;
    let refused = match *want {
        Want::Problem(code, kind) => {
            let body = body(answer);
            let problem = answer
                .to_ascii_lowercase()
                .contains("content-type: application/problem+json");
            let advice = body["detail"].as_str().is_some_and(|text| text.len() > 10);
            status(answer) == Some(code) && body["type"] == kind && problem && advice
        }
        Want::Bare => {
            let bare = status(answer).is_some_and(|code| (400..500).contains(&code));
            answer.is_empty() || (bare && body(answer).is_null())
        }
    };
    // One answer: nothing of what followed was read as a second call.
    let once = answer.matches("HTTP/1.").count() <= 1;
    (!refused || !once).then(|| {
        format!(
            "{name}: wanted {want:?}, got {:?}",
            answer.chars().take(600).collect::<String>()
        )
    })
}

/// What dawdles: sends `bytes`, then one byte now and then, and expects an end.
async fn dawdle(gateway: SocketAddr, bytes: Vec<u8>, drip: &'static [u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        let mut chunk = [0; 4096];
        tokio::select! {
            read = stream.read(&mut chunk) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
            },
            _ = tick.tick() => { let _ = stream.write_all(drip).await; }
        }
        assert!(began.elapsed() < REFUSED_WITHIN, "still open");
    }
    (
        String::from_utf8_lossy(&answer).into_owned(),
        began.elapsed(),
    )
}

async fn assert_the_slow_are_cut_off(gateway: SocketAddr, headers: &str) -> usize {
    let head = format!("{ORDERS} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}");
    let (silent, in_head, in_body, stalled) = tokio::join!(
        dawdle(gateway, Vec::new(), b""),
        dawdle(gateway, head.clone().into_bytes(), b"x-a: b\r\n"),
        dawdle(
            gateway,
            format!("{head}content-length: 1000\r\n\r\n").into_bytes(),
            b" "
        ),
        dawdle(
            gateway,
            format!("{head}content-length: 1000\r\n\r\n{{").into_bytes(),
            b""
        ),
    );
    for (name, (answer, took)) in [("silent", silent), ("slow head", in_head)] {
        let cut = answer.is_empty() || matches!(status(&answer), Some(400 | 408 | 431));
        assert!(cut && took < REFUSED_WITHIN, "{name}: {took:?} {answer}");
    }
    for (name, (answer, took)) in [("slow body", in_body), ("stalled body", stalled)] {
        assert_eq!(
            (status(&answer), &body(&answer)["type"]),
            (Some(408), &json!("request-timeout")),
            "{name}: {took:?} {answer}"
        );
    }
    4
}

/// Who writes addresses into a header is still one address: guessing goes on being counted. Last, because it uses the address up.
async fn assert_a_forged_address_does_not_help(gateway: SocketAddr) -> usize {
    let tries = 80;
    let mut throttled = 0;
    for n in 0..tries {
        let token = json!({"refresh_token": format!("{n:064x}")}).to_string();
        let headers =
            format!("content-type: application/json\r\nx-forwarded-for: 198.51.100.{n}\r\n");
        let answer = exchange(
            gateway,
            &request("POST /api/v1/auth/refresh", &headers, token.as_bytes()),
        )
        .await;
        match status(&answer) {
            Some(401) => {}
            Some(429) => {
                throttled += 1;
                assert_eq!(body(&answer)["type"], "too-many-attempts");
                assert!(answer.contains("retry-after: "), "{answer}");
            }
            _ => panic!("{answer}"),
        }
    }
    assert!(throttled > 0, "none of {tries} guesses was throttled");
    tries
}

/// The same calls, put right.
async fn assert_the_door_is_open(gateway: SocketAddr, wall: &Wall) -> usize {
    let headers = wall.headers();
    let json_only = "content-type: application/json\r\n";
    let sixty: String = (0..50).map(|n| format!("x-{n}: y\r\n")).collect();
    let padded = format!("{GOOD_ORDER}{}", " ".repeat(64 * 1024 - GOOD_ORDER.len()));
    let right = [
        (
            "an order",
            request(ORDERS, &headers, GOOD_ORDER.as_bytes()),
            201,
        ),
        (
            "50 headers more",
            request(ORDERS, &format!("{headers}{sixty}"), GOOD_ORDER.as_bytes()),
            201,
        ),
        (
            "exactly 64 KiB",
            request(ORDERS, &headers, padded.as_bytes()),
            201,
        ),
        (
            "identity",
            request(
                ORDERS,
                &format!("{headers}content-encoding: identity\r\n"),
                GOOD_ORDER.as_bytes(),
            ),
            201,
        ),
        (
            "with a charset",
            request(
                ORDERS,
                &headers.replace("application/json", "application/json; charset=utf-8"),
                GOOD_ORDER.as_bytes(),
            ),
            201,
        ),
        (
            "a key",
            request(
                ORDERS,
                &format!("{headers}idempotency-key: 4c1e\r\n"),
                GOOD_ORDER.as_bytes(),
            ),
            201,
        ),
        (
            "forged headers beside a token",
            request(
                ORDERS,
                &format!("{headers}x-forwarded-for: 1.2.3.4\r\ntraceparent: nonsense\r\n"),
                GOOD_ORDER.as_bytes(),
            ),
            201,
        ),
        (
            "an absolute target",
            request(
                "POST http://shop/api/v1/orders",
                &headers,
                GOOD_ORDER.as_bytes(),
            ),
            201,
        ),
        (
            "orders",
            request("GET /api/v1/orders?limit=5&status=PAID", &headers, b""),
            200,
        ),
        (
            "products",
            request("GET /api/v1/products?limit=5&cursor=A", "", b""),
            200,
        ),
        (
            "login",
            request(
                "POST /api/v1/auth/login",
                json_only,
                br#"{"email":"ada@example.com","password":"correct-horse"}"#,
            ),
            200,
        ),
        (
            "register",
            request(
                "POST /api/v1/auth/register",
                json_only,
                br#"{"email":"x@y.zz","password":"12345678"}"#,
            ),
            201,
        ),
    ];
    let mut refresh_token = String::new();
    let mut order_id = 0;
    for (name, bytes, want) in &right {
        let answer = exchange(gateway, bytes).await;
        assert_eq!(status(&answer), Some(*want), "{name}: {answer}");
        if let Some(token) = body(&answer)["refresh_token"].as_str() {
            token.clone_into(&mut refresh_token);
        }
        order_id = body(&answer)["order_id"].as_i64().unwrap_or(order_id);
    }
    let mut more = vec![
        (
            request(
                "POST /api/v1/auth/refresh",
                json_only,
                json!({"refresh_token": refresh_token})
                    .to_string()
                    .as_bytes(),
            ),
            200,
        ),
        (
            request(
                "POST /api/v1/auth/logout",
                json_only,
                json!({"refresh_token": refresh_token})
                    .to_string()
                    .as_bytes(),
            ),
            204,
        ),
    ];
    for call in ["", "/timeline"] {
        more.push((
            request(
                &format!("GET /api/v1/orders/{order_id}{call}"),
                &headers,
                b"",
            ),
            200,
        ));
    }
    for (bytes, want) in &more {
        let answer = exchange(gateway, bytes).await;
        assert_eq!(status(&answer), Some(*want), "{answer}");
    }
    right.len() + more.len()
}

#[tokio::test]
async fn nothing_that_is_wrong_gets_through_and_no_row_changes() {
    let world = World::start().await;
    let gateway = world.stack.gateway_addr();
    let login = json!({"email": "ada@example.com", "password": "correct-horse"});
    let login = world
        .anonymous
        .post("/api/v1/auth/login", &login, &[])
        .await
        .unwrap();
    let mut wall = Wall {
        token: login.text("access_token").to_owned(),
        inputs: Vec::new(),
    };
    wall.framings();
    wall.starts();
    wall.bodies();
    wall.types();
    wall.tokens();
    wall.paths();
    wall.forged_headers();
    wall.accounts();

    let before = rows::fingerprint(&world.stack).await;
    let slow = tokio::spawn({
        let headers = wall.headers();
        async move { assert_the_slow_are_cut_off(gateway, &headers).await }
    });
    let mut complaints = Vec::new();
    for input in &wall.inputs {
        let answer = exchange(gateway, &input.bytes).await;
        complaints.extend(complaint(input, &answer));
    }
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        wall.inputs.len(),
        complaints.join("\n")
    );
    let slow = slow.await.unwrap();
    assert_eq!(
        rows::fingerprint(&world.stack).await,
        before,
        "a row changed"
    );
    let right = assert_the_door_is_open(gateway, &wall).await;
    let after_orders = rows::fingerprint(&world.stack).await;
    assert_ne!(after_orders, before, "the fingerprint sees what is written");
    let guesses = assert_a_forged_address_does_not_help(gateway).await;
    println!(
        "bad inputs on the public port: {} refused, {slow} of them slow ones, {guesses} guesses with forged addresses; {right} right calls taken",
        wall.inputs.len() + slow + guesses
    );
    world.audit_and_stop().await;
}
