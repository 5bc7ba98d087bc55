//! Bodies of an order, its content type, its encoding and its key.

use serde_json::{Value, json};

use super::{GOOD_ORDER, ORDERS, Wall, Want, request};

const MALFORMED: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("half an object", b"{"),
    ("half a string", b"{\"items"),
    ("a trailing comma", br#"{"items":[],}"#),
    ("single quotes", b"{'items':[]}"),
    ("a comment", b"{/**/}"),
    ("NaN", br#"{"items":[{"sku":"PLENTY","quantity":NaN}]}"#),
    (
        "Infinity",
        br#"{"items":[{"sku":"PLENTY","quantity":Infinity}]}"#,
    ),
    (
        "1e400",
        br#"{"items":[{"sku":"PLENTY","quantity":1e400}],"payment_method":"tok_ok"}"#,
    ),
    (
        "-1e400",
        br#"{"items":[{"sku":"PLENTY","quantity":-1e400}],"payment_method":"tok_ok"}"#,
    ),
    (
        "a leading zero",
        br#"{"items":[{"sku":"PLENTY","quantity":01}]}"#,
    ),
    ("a plus", br#"{"items":[{"sku":"PLENTY","quantity":+1}]}"#),
    (
        "hexadecimal",
        br#"{"items":[{"sku":"PLENTY","quantity":0x1}]}"#,
    ),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    (
        "a lone surrogate",
        br#"{"items":[{"sku":"\ud800","quantity":1}],"payment_method":"tok_ok"}"#,
    ),
    (
        "a raw newline in a string",
        b"{\"payment_method\":\"tok\n_ok\"}",
    ),
    ("invalid UTF-8", b"{\"payment_method\":\"tok_\xff\xfe\"}"),
    ("an overlong slash", b"{\"payment_method\":\"tok\xc0\xaf\"}"),
    ("UTF-16", b"\xff\xfe{\0}\0"),
    ("zero bytes", b"\0\0\0\0"),
    (
        "gzip without saying so",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0",
    ),
];

/// Proper JSON, and no order.
const NO_ORDER: &[(&str, &str)] = &[
    ("an array", "[]"),
    ("null", "null"),
    ("a number", "7"),
    (
        "items twice",
        r#"{"items":[],"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok"}"#,
    ),
    (
        "quantity twice",
        r#"{"items":[{"sku":"PLENTY","quantity":1,"quantity":2}],"payment_method":"tok_ok"}"#,
    ),
    (
        "payment_method twice",
        r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","payment_method":"tok_ok"}"#,
    ),
    (
        "an escaped second key",
        r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","payment\u005fmethod":"tok_ok"}"#,
    ),
    (
        "an unknown field",
        r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","total_cents":1}"#,
    ),
    (
        "an unknown field of a line",
        r#"{"items":[{"sku":"PLENTY","quantity":1,"unit_price_cents":1}],"payment_method":"tok_ok"}"#,
    ),
    (
        "__proto__",
        r#"{"items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok","__proto__":{}}"#,
    ),
    (
        "a key in capitals",
        r#"{"Items":[{"sku":"PLENTY","quantity":1}],"payment_method":"tok_ok"}"#,
    ),
    ("the fields as a list", r#"[[["PLENTY",1]],"tok_ok",null]"#),
    (
        "the fields as a list, but for the lines",
        r#"[[{"sku":"PLENTY","quantity":1}],"tok_ok",null]"#,
    ),
    (
        "a line as a list",
        r#"{"items":[["PLENTY",1]],"payment_method":"tok_ok"}"#,
    ),
    ("a string", r#""items""#),
    ("no fields", "{}"),
    ("items null", r#"{"items":null,"payment_method":"tok_ok"}"#),
];

const QUANTITIES: &str = r#"0 -1 10001 9223372036854775807 9223372036854775808 -9223372036854775808 1e300 1.5 1.0 1e2 "1" null true [1] {}"#;

/// As they stand between the quotes of the body.
const SKUS: &[&str] = &[
    "",
    " ",
    "PLENTY ",
    "PLENTY\\u0000",
    "../PLENTY",
    "PLENTY'--",
    "PLENTY;DROP TABLE orders",
    "％PLENTY",
    "\\ud83d\\ude00",
];

const METHODS: &[&str] = &[
    "",
    "4111 1111 1111 1111",
    "tok_ok\\n",
    "tok_ok\\u0000",
    "'; SELECT 1",
];

const TYPES: &[&str] = &[
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
];

const ENCODINGS: &[&str] = &[
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, gzip",
    "identity, gzip",
    "x",
];

const INVALID: Want = Want::Problem(400, "invalid-request");

fn order_of(sku: &str, quantity: &str, method: &str) -> String {
    format!(r#"{{"items":[{{"sku":"{sku}","quantity":{quantity}}}],"payment_method":"{method}"}}"#)
}

impl Wall {
    /// An order that is right but for its body.
    fn body(&mut self, name: &str, body: impl AsRef<[u8]>, want: Want) {
        let bytes = request(ORDERS, &self.headers(), body.as_ref());
        self.add(format!("body: {name}"), bytes, want);
    }

    /// An order that is right but for more headers.
    fn header(&mut self, header: &str, want: Want) {
        let headers = format!("{}{header}\r\n", self.headers());
        let bytes = request(ORDERS, &headers, GOOD_ORDER.as_bytes());
        self.add(header, bytes, want);
    }

    pub(super) fn bodies(&mut self) {
        for (name, body) in MALFORMED {
            self.body(name, body, Want::Problem(400, "malformed-json"));
        }
        let twice = format!("{GOOD_ORDER}{GOOD_ORDER}");
        self.body("two documents", twice, Want::Problem(400, "malformed-json"));
        for (name, body) in NO_ORDER {
            self.body(name, body, INVALID);
        }
        let deep_items = format!(r#"{{"items":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        for (name, body) in [
            ("10,000 levels", "[".repeat(10_000)),
            ("deep items", deep_items),
            ("deep objects", r#"{"items":"#.repeat(2_000)),
        ] {
            self.body(name, body, INVALID);
        }
        let padding = " ".repeat(64 * 1024 + 1 - GOOD_ORDER.len());
        self.body(
            "one byte over 64 KiB",
            format!("{GOOD_ORDER}{padding}"),
            Want::Problem(413, "body-too-large"),
        );
    }

    pub(super) fn fields(&mut self) {
        for quantity in QUANTITIES.split(' ') {
            let body = order_of("PLENTY", quantity, "tok_ok");
            self.body(&format!("quantity {quantity}"), body, INVALID);
        }
        let long = "x".repeat(65);
        for sku in SKUS.iter().chain([&long.as_str()]) {
            let body = order_of(sku, "1", "tok_ok");
            self.body(&format!("sku {sku:.20}"), body, INVALID);
        }
        for method in METHODS.iter().chain([&long.as_str()]) {
            let body = order_of("PLENTY", "1", method);
            self.body(&format!("payment method {method:.20}"), body, INVALID);
        }
        let foreign = GOOD_ORDER.replace(
            r#""tok_ok""#,
            r#""tok_ok","customer_id":"00000000-0000-7000-8000-00000000ffff""#,
        );
        self.body(
            "another customer",
            foreign,
            Want::Problem(403, "customer-mismatch"),
        );
        let many: Vec<Value> = (0..101)
            .map(|n| json!({"sku": format!("S{n}"), "quantity": 1}))
            .collect();
        let many = json!({"items": many, "payment_method": "tok_ok"});
        self.body("101 lines", many.to_string(), INVALID);
    }

    pub(super) fn types(&mut self) {
        let bearer = self.bearer();
        let refused = Want::Problem(415, "unsupported-media-type");
        for content_type in TYPES {
            let headers = format!("{bearer}content-type: {content_type}\r\n");
            let bytes = request(ORDERS, &headers, GOOD_ORDER.as_bytes());
            self.add(format!("content-type: {content_type}"), bytes, refused);
        }
        let bytes = request(ORDERS, &bearer, GOOD_ORDER.as_bytes());
        self.add("no content-type", bytes, refused);
        self.header("content-type: text/plain", refused);
        for encoding in ENCODINGS {
            self.header(&format!("content-encoding: {encoding}"), refused);
        }
        for key in ["", "two words", "schlüssel", &"k".repeat(256)] {
            self.header(&format!("idempotency-key: {key}"), INVALID);
        }
        self.header("idempotency-key: a\r\nidempotency-key: b", INVALID);
    }
}
