//! What a client can get wrong, each with its status, its type, and a text that says what to do. Nothing of it reaches a service.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::support::{CUSTOMER, Gateway, gateway, get, post, request, send};

const ORDERS: &str = "/api/v1/orders";

/// Sends a body to `POST /orders` and asserts that it is refused without anybody being asked.
async fn refused(body: impl Into<Body>, status: u16, kind: &str) -> Vec<String> {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let got = send(&router, post(ORDERS, body)).await;
    got.assert_problem(status, kind);
    orders.expect_none().await;
    got.pointers().into_iter().map(str::to_owned).collect()
}

async fn invalid(body: serde_json::Value) -> Vec<String> {
    refused(body.to_string(), 400, "invalid-request").await
}

fn one_line(sku: &str, quantity: impl Into<serde_json::Value>) -> serde_json::Value {
    json!({"items": [{"sku": sku, "quantity": quantity.into()}], "payment_method": "tok_ok"})
}

#[tokio::test]
async fn quantities_are_whole_numbers_from_1_to_10000() {
    for quantity in [
        json!(0),
        json!(-1),
        json!(10_001),
        json!(i64::MAX),
        json!(i64::MIN),
    ] {
        assert_eq!(
            invalid(one_line("TEA", quantity)).await,
            ["/items/0/quantity"]
        );
    }
    for quantity in [
        "1.5",
        "1e2",
        "9223372036854775808",
        "1e400",
        "\"2\"",
        "null",
        "true",
        "[1]",
    ] {
        let body = format!(
            r#"{{"items":[{{"sku":"TEA","quantity":{quantity}}}],"payment_method":"tok_ok"}}"#
        );
        // A number beyond any float is a syntax error to the parser; both are 400.
        let kind = if quantity == "1e400" {
            "malformed-json"
        } else {
            "invalid-request"
        };
        refused(body, 400, kind).await;
    }
}

#[tokio::test]
async fn an_order_has_1_to_100_lines() {
    let lines = |count: usize| {
        let items: Vec<_> = (0..count)
            .map(|n| json!({"sku": format!("S{n}"), "quantity": 1}))
            .collect();
        json!({"items": items, "payment_method": "tok_ok"})
    };
    assert_eq!(invalid(lines(0)).await, ["/items"]);
    assert_eq!(invalid(lines(101)).await, ["/items"]);
    assert_eq!(invalid(lines(1000)).await, ["/items"]);
}

#[tokio::test]
async fn a_sku_stands_in_one_line_only() {
    let body = json!({
        "items": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}, {"sku": "A", "quantity": 2}],
        "payment_method": "tok_ok",
    });
    assert_eq!(invalid(body).await, ["/items/2/sku"]);
}

#[tokio::test]
async fn skus_and_payment_methods_are_short_plain_words() {
    for sku in ["", " ", "a b", "a/b", "ü", "a\u{0}", &"x".repeat(65)] {
        assert_eq!(invalid(one_line(sku, 1)).await, ["/items/0/sku"], "{sku:?}");
    }
    for method in ["", "tok ok", "4111 1111 1111 1111", "tök", &"x".repeat(65)] {
        let body = json!({"items": [{"sku": "A", "quantity": 1}], "payment_method": method});
        assert_eq!(invalid(body).await, ["/payment_method"], "{method:?}");
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_reported_at_once() {
    let body = json!({
        "items": [{"sku": "", "quantity": 0}], "payment_method": "", "customer_id": "me",
    });
    let expected = [
        "/customer_id",
        "/items/0/sku",
        "/items/0/quantity",
        "/payment_method",
    ];
    assert_eq!(invalid(body).await, expected);
}

#[tokio::test]
async fn unknown_missing_and_repeated_fields_are_refused() {
    for body in [
        r#"{"items":[{"sku":"A","quantity":1}],"payment_method":"tok_ok","coupon":"X"}"#,
        r#"{"items":[{"sku":"A","quantity":1,"price":1}],"payment_method":"tok_ok"}"#,
        r#"{"items":[{"sku":"A","quantity":1}]}"#,
        r#"{"payment_method":"tok_ok"}"#,
        r#"{"items":[{"sku":"A"}],"payment_method":"tok_ok"}"#,
        r#"{"items":[],"items":[{"sku":"A","quantity":1}],"payment_method":"tok_ok"}"#,
        r#"{"items":{},"payment_method":"tok_ok"}"#,
        r#"{"items":[["A",1]],"payment_method":"tok_ok"}"#,
        r#"[[["A",1]],"tok_ok",null]"#,
        r#"[[{"sku":"A","quantity":1}],"tok_ok",null]"#,
        "\"items\"",
        "[]",
        "null",
        "7",
    ] {
        refused(body, 400, "invalid-request").await;
    }
}

#[tokio::test]
async fn malformed_json_is_told_from_wrong_values() {
    for body in [
        "",
        "{",
        "{\"items\":[",
        "not json",
        "{'items':[]}",
        "\u{feff}{}",
        "{}{}",
    ] {
        refused(
            body,
            400,
            if body == "{}{}" {
                "invalid-request"
            } else {
                "malformed-json"
            },
        )
        .await;
    }
    refused(vec![0xff, 0xfe, 0x00], 400, "malformed-json").await;
    refused("[".repeat(10_000), 400, "invalid-request").await;
}

#[tokio::test]
async fn a_body_has_at_most_64_kib() {
    let mut body = one_line("TEA", 0).to_string();
    body.push_str(&" ".repeat(64 * 1024 - body.len()));
    refused(body.clone(), 400, "invalid-request").await;
    body.push(' ');
    refused(body, 413, "body-too-large").await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let gateway = gateway();
    let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
    let got = send(&gateway.router, post(ORDERS, Body::from_stream(chunks))).await;
    got.assert_problem(413, "body-too-large");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_dawdles_is_given_up() {
    let gateway = gateway();
    let silent = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let got = send(&gateway.router, post(ORDERS, Body::from_stream(silent))).await;
    got.assert_problem(408, "request-timeout");
}

#[tokio::test]
async fn a_body_is_declared_as_json() {
    let gateway = gateway();
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/xml"),
        Some("application/jsonp"),
    ] {
        let mut builder = request("POST", ORDERS);
        if let Some(content_type) = content_type {
            builder = builder.header("content-type", content_type);
        }
        let got = send(&gateway.router, builder.body(Body::from("{}")).unwrap()).await;
        got.assert_problem(415, "unsupported-media-type");
    }
    for content_type in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/merge-patch+json",
    ] {
        let builder = request("POST", ORDERS).header("content-type", content_type);
        let got = send(&gateway.router, builder.body(Body::from("{")).unwrap()).await;
        got.assert_problem(400, "malformed-json");
    }
}

#[tokio::test]
async fn orders_need_a_token_that_is_believed() {
    let gateway = gateway();
    for authorization in [
        None,
        Some("Bearer"),
        Some("Bearer "),
        Some("Basic abc"),
        Some("Bearer a.b.c"),
    ] {
        for (method, path) in [
            ("POST", ORDERS),
            ("GET", ORDERS),
            ("GET", "/api/v1/orders/7"),
            ("GET", "/api/v1/orders/7/timeline"),
            ("GET", "/api/v1/orders/7/events"),
            ("POST", "/api/v1/orders/7/cancel"),
            ("POST", "/api/v1/orders/7/refund"),
        ] {
            let mut builder = Request::builder().method(method).uri(path);
            if let Some(value) = authorization {
                builder = builder.header("authorization", value);
            }
            let got = send(&gateway.router, builder.body(Body::empty()).unwrap()).await;
            got.assert_problem(401, "unauthenticated");
            assert_eq!(got.header("www-authenticate"), "Bearer");
        }
    }
}

#[tokio::test]
async fn another_customer_in_the_body_is_forbidden() {
    let other = "00000000-0000-4000-8000-00000000ffff";
    let mut body = one_line("TEA", 1);
    body["customer_id"] = json!(other);
    refused(body.to_string(), 403, "customer-mismatch").await;
    assert_ne!(other, CUSTOMER.to_string());
}

#[tokio::test]
async fn an_idempotency_key_is_a_short_printable_word() {
    let gateway = gateway();
    for key in ["", "two words", &"k".repeat(256)] {
        let request = request("POST", ORDERS)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(one_line("TEA", 1).to_string()))
            .unwrap();
        let got = send(&gateway.router, request).await;
        got.assert_problem(400, "invalid-request");
        assert_eq!(got.pointers(), ["header:Idempotency-Key"]);
    }
}

#[tokio::test]
async fn what_is_no_order_id_names_no_order() {
    let gateway = gateway();
    for id in [
        "0",
        "-1",
        "abc",
        "1.5",
        "9223372036854775808",
        "%20",
        "7%2F8",
        "%ff",
    ] {
        let got = send(&gateway.router, get(&format!("/api/v1/orders/{id}"))).await;
        got.assert_problem(404, "order-not-found");
    }
}

#[tokio::test]
async fn lists_have_bounded_pages_and_known_parameters() {
    let gateway = gateway();
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=99999999999",
        "cursor=x",
        "cursor=-5",
        "status=BOUGHT",
        "status=paid",
        "page=2",
        "limit=1&limit=2",
    ] {
        let got = send(&gateway.router, get(&format!("{ORDERS}?{query}"))).await;
        got.assert_problem(400, "invalid-request");
    }
    for query in ["limit=0", "limit=101", "cursor=a%20b", "offset=1"] {
        let got = send(&gateway.router, get(&format!("/api/v1/products?{query}"))).await;
        got.assert_problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let gateway = gateway();
    for path in [
        "/",
        "/api/v1/order",
        "/api/v2/orders",
        "/api/v1/orders/7/",
        "/api/v1/orders/7/8",
    ] {
        send(&gateway.router, get(path))
            .await
            .assert_problem(404, "not-found");
    }
    for (method, path, allowed) in [
        ("DELETE", ORDERS, "POST"),
        ("PUT", "/api/v1/orders/7", "GET"),
        ("GET", "/api/v1/orders/7/cancel", "POST"),
        ("GET", "/api/v1/auth/login", "POST"),
        ("POST", "/readyz", "GET"),
        ("POST", "/api/v1/openapi.json", "GET"),
    ] {
        let request = request(method, path).body(Body::empty()).unwrap();
        let got = send(&gateway.router, request).await;
        got.assert_problem(405, "method-not-allowed");
        assert!(got.header("allow").contains(allowed), "{path}: {got:?}");
    }
}
