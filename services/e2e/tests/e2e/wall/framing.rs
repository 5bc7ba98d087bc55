//! How a call begins, how long it says it is, and what is no HTTP/1.1 at all.

use super::{GOOD_ORDER, ORDERS, Wall, Want, request};

/// `LENGTH` stands for the length of the good order, which follows the head.
const NOT_HTTP: &[(&str, &str)] = &[
    (
        "conflicting lengths",
        "content-length: LENGTH\r\ncontent-length: 5\r\n",
    ),
    ("lengths in a list", "content-length: LENGTH, 5\r\n"),
    (
        "the same length in a list",
        "content-length: LENGTH, LENGTH\r\n",
    ),
    ("a negative length", "content-length: -5\r\n"),
    ("a signed length", "content-length: +LENGTH\r\n"),
    ("a hexadecimal length", "content-length: 0x40\r\n"),
    ("an empty length", "content-length: \r\n"),
    (
        "a length beyond u64",
        "content-length: 99999999999999999999\r\n",
    ),
    ("a space before the colon", "content-length : LENGTH\r\n"),
    (
        "a folded header",
        "x-a: b\r\n c\r\ncontent-length: LENGTH\r\n",
    ),
    ("a header without a colon", "nonsense\r\n"),
    ("a header without a name", ": x\r\n"),
    (
        "a zero byte in a header",
        "x-a: b\0c\r\ncontent-length: LENGTH\r\n",
    ),
];

/// The good order follows as one chunk.
const CHUNKED: &[(&str, &str)] = &[
    (
        "length and chunked",
        "content-length: LENGTH\r\ntransfer-encoding: chunked\r\n",
    ),
    (
        "chunked and length",
        "transfer-encoding: chunked\r\ncontent-length: LENGTH\r\n",
    ),
    (
        "length 0, then a second call",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
    ),
    ("chunked alone", "transfer-encoding: chunked\r\n"),
    (
        "chunked twice",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    ),
    ("chunked in capitals", "Transfer-Encoding: CHUNKED\r\n"),
    ("gzip, chunked", "transfer-encoding: gzip, chunked\r\n"),
];

/// The last encoding is not `chunked`: nobody could tell where the call ends.
const ENDLESS: &[(&str, &str)] = &[
    (
        "chunked, identity",
        "transfer-encoding: chunked, identity\r\n",
    ),
    ("an unknown encoding", "transfer-encoding: xchunked\r\n"),
];

const LINES: &[&str] = &[
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
];

impl Wall {
    /// A good order with the framing spelled out: `head` follows the other headers.
    fn framed(&mut self, name: &str, head: &str, body: &str, want: Want) {
        let head = head.replace("LENGTH", &GOOD_ORDER.len().to_string());
        let bytes = format!(
            "{ORDERS} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{}{head}\r\n{body}",
            self.headers()
        );
        self.add(format!("framing: {name}"), bytes, want);
    }

    pub(super) fn framings(&mut self) {
        let length = GOOD_ORDER.len();
        let chunked = format!("{length:x}\r\n{GOOD_ORDER}\r\n0\r\n\r\n");
        let refused = Want::Problem(411, "length-required");
        for (name, head) in NOT_HTTP {
            self.framed(name, head, GOOD_ORDER, Want::Bare);
        }
        for (name, head) in CHUNKED {
            self.framed(name, head, &chunked, refused);
        }
        for (name, head) in ENDLESS {
            self.framed(name, head, &chunked, Want::Bare);
        }
        self.framed(
            "a bad chunk size",
            "transfer-encoding: chunked\r\n",
            "zz\r\n{}\r\n0\r\n\r\n",
            refused,
        );
        self.framed(
            "a length beyond the limit",
            "content-length: 9999999999\r\n",
            GOOD_ORDER,
            Want::Problem(413, "body-too-large"),
        );
        self.framed(
            "a second host",
            "host: other\r\ncontent-length: LENGTH\r\n",
            GOOD_ORDER,
            Want::Problem(400, "invalid-request"),
        );
        let smuggled = format!(
            "0\r\n\r\n{ORDERS} HTTP/1.1\r\nhost: shop\r\n{}content-length: {length}\r\n\r\n{GOOD_ORDER}",
            self.headers()
        );
        let both = format!(
            "content-length: {}\r\ntransfer-encoding: chunked\r\n",
            smuggled.len()
        );
        self.framed("chunked, then a second call", &both, &smuggled, refused);
    }

    pub(super) fn heads_too_large(&mut self) {
        let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
        let many = format!("{many}content-length: LENGTH\r\n");
        self.framed("200 headers", &many, GOOD_ORDER, Want::Bare);
        let large = format!("x-a: {}\r\n", "y".repeat(40 * 1024));
        self.framed("a header of 40 KiB", &large, "", Want::Bare);
        // With a token of 64 KiB the head is over its limit before anybody looks at the token.
        let long = format!("authorization: Bearer {}\r\n", "a".repeat(64 * 1024));
        let bytes = request("GET /api/v1/orders", &long, b"");
        self.add("a token of 64 KiB", bytes, Want::Bare);
        let rest = self.after_the_line();
        let path = "a".repeat(40 * 1024);
        let bytes = format!("POST /{path} HTTP/1.1{rest}");
        self.add("a path of 40 KiB", bytes, Want::Bare);
    }

    fn after_the_line(&self) -> String {
        format!(
            "\r\nhost: shop\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{GOOD_ORDER}",
            self.headers(),
            GOOD_ORDER.len()
        )
    }

    pub(super) fn starts(&mut self) {
        let rest = self.after_the_line();
        for line in LINES {
            let bytes = format!("{line}{rest}");
            self.add(format!("line: {line:?}"), bytes, Want::Bare);
        }
        let no_host = format!(
            "{ORDERS} HTTP/1.1{}",
            rest.replacen("\r\nhost: shop", "", 1)
        );
        self.add("no host", no_host, Want::Problem(400, "invalid-request"));
        let old = format!(
            "{ORDERS} HTTP/1.0\r\nhost: shop\r\n{}transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            self.headers()
        );
        self.add("HTTP/1.0 with chunks", old, Want::Bare);
    }

    pub(super) fn other_protocols(&mut self) {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let truncated = [
            &preface[..],
            b"\0\0\x12\x01\x05\0\0\0\x01",
            [0x82; 18].as_slice(),
        ]
        .concat();
        let random: Vec<u8> = (0..=255_u8).cycle().skip(131).take(2048).collect();
        for (name, bytes) in [
            ("HTTP/2 with prior knowledge", preface.to_vec()),
            ("HTTP/2 with a truncated HEADERS frame", truncated),
            (
                "a TLS hello on the plain port",
                b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                    .to_vec(),
            ),
            ("random bytes", random),
            ("zero bytes", vec![0; 1024]),
        ] {
            self.add(name, bytes, Want::Bare);
        }
    }
}
