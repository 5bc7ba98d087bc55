//! Where a call goes: paths, ids, methods, queries and targets that name a host.

use super::{GOOD_ORDER, Wall, Want, request};

const NOWHERE: &[&str] = &[
    "//api/v1/orders",
    "/api//v1/orders",
    "/api/v1//orders",
    "/api/v1/orders/",
    "/api/v1/orders//",
    "/api/v1/../v1/orders",
    "/api/v1/./orders",
    "/../api/v1/orders",
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
    "/",
    "/etc/passwd",
    "/api/v1/orders/1/../../orders",
    "/.git/config",
];

const NO_IDS: &[&str] = &[
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
];

/// Each with every one of `NO_IDS`.
const CALLS: &[&str] = &[
    "GET /api/v1/orders/{id}",
    "GET /api/v1/orders/{id}/timeline",
    "POST /api/v1/orders/{id}/cancel",
    "POST /api/v1/orders/{id}/refund",
];

const WRONG_METHODS: &[&str] = &[
    "DELETE /api/v1/orders",
    "PUT /api/v1/orders",
    "PATCH /api/v1/orders",
    "OPTIONS /api/v1/orders",
    "TRACE /api/v1/orders",
    "QUERY /api/v1/orders",
    "post /api/v1/orders",
    "PUT /api/v1/orders/1",
    "DELETE /api/v1/orders/1",
    // Dots are not resolved: they are an order's number that no order has.
    "POST /api/v1/orders/..",
    "POST /api/v1/orders/%2e",
    "GET /api/v1/orders/1/cancel",
    "GET /api/v1/orders/1/refund",
    "GET /api/v1/auth/login",
    "GET /api/v1/auth/register",
    "PUT /api/v1/auth/refresh",
    "DELETE /api/v1/auth/logout",
    "POST /readyz",
    "POST /livez",
    "POST /api/v1/products",
];

const QUERIES_OF_ORDERS: &[&str] = &[
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
];

const QUERIES_OF_PRODUCTS: &[&str] = &[
    "limit=0",
    "limit=101",
    "cursor=a%20b",
    "cursor=%00",
    "cursor=%27%20OR%201",
    "offset=1",
    "sku=PLENTY",
];

/// A target that names a host is read as its path: it opens nothing that the path alone does not.
const OTHER_HOSTS: &[&str] = &[
    "POST http://evil.example/api/v1/nothing",
    "POST http://169.254.169.254/latest/meta-data",
    "POST https://shop/",
];

const NOT_FOUND: Want = Want::Problem(404, "not-found");

impl Wall {
    /// A call with everything that an order needs, to another line.
    fn line(&mut self, line: &str, body: &str, want: Want) {
        let bytes = request(line, &self.headers(), body.as_bytes());
        self.add(line, bytes, want);
    }

    pub(super) fn paths(&mut self) {
        for path in NOWHERE {
            self.line(&format!("POST {path}"), GOOD_ORDER, NOT_FOUND);
        }
        for line in OTHER_HOSTS {
            self.line(line, GOOD_ORDER, NOT_FOUND);
        }
        for id in NO_IDS {
            for call in CALLS {
                let want = Want::Problem(404, "order-not-found");
                self.line(&call.replace("{id}", id), "", want);
            }
        }
        for line in WRONG_METHODS {
            self.line(line, GOOD_ORDER, Want::Problem(405, "method-not-allowed"));
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

    pub(super) fn queries(&mut self) {
        for (what, queries) in [
            ("orders", QUERIES_OF_ORDERS),
            ("products", QUERIES_OF_PRODUCTS),
        ] {
            for query in queries {
                let line = format!("GET /api/v1/{what}?{query}");
                self.line(&line, "", Want::Problem(400, "invalid-request"));
            }
        }
    }
}
