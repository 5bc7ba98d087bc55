//! The same calls, put right: the refusals were not a closed door.

use std::net::SocketAddr;

use serde_json::json;

use super::exchange::{body, exchange, status};
use super::{GOOD_ORDER, ORDERS, Wall, request};

const JSON: &str = "content-type: application/json\r\n";

struct Right {
    name: String,
    bytes: Vec<u8>,
    status: u16,
}

fn right(name: &str, line: &str, headers: &str, body: &str, status: u16) -> Right {
    Right {
        name: name.to_owned(),
        bytes: request(line, headers, body.as_bytes()),
        status,
    }
}

fn orders(wall: &Wall) -> Vec<Right> {
    let headers = wall.headers();
    let more: String = (0..50).map(|n| format!("x-{n}: y\r\n")).collect();
    let forged = "x-forwarded-for: 1.2.3.4\r\ntraceparent: nonsense\r\n";
    let padding = " ".repeat(64 * 1024 - GOOD_ORDER.len());
    let order = |name, headers: &str| right(name, ORDERS, headers, GOOD_ORDER, 201);
    let minted = headers.replace(&wall.token, &wall.mint.good());
    assert_ne!(minted, headers, "another token");
    vec![
        order("an order", &headers),
        order("with a token that the test has signed", &minted),
        order("50 headers more", &format!("{headers}{more}")),
        order(
            "identity",
            &format!("{headers}content-encoding: identity\r\n"),
        ),
        order("a key", &format!("{headers}idempotency-key: 4c1e\r\n")),
        order(
            "forged headers beside a token",
            &format!("{headers}{forged}"),
        ),
        order(
            "with a charset",
            &headers.replace("json", "json; charset=utf-8"),
        ),
        right(
            "exactly 64 KiB",
            ORDERS,
            &headers,
            &format!("{GOOD_ORDER}{padding}"),
            201,
        ),
        // The same length twice leaves nothing to decide otherwise: it is read as one, as RFC 9112 allows, and the body ends there.
        order(
            "the same length twice",
            &format!("{headers}content-length: {}\r\n", GOOD_ORDER.len()),
        ),
        right(
            "an absolute target",
            "POST http://shop/api/v1/orders",
            &headers,
            GOOD_ORDER,
            201,
        ),
    ]
}

fn queries_and_accounts(wall: &Wall) -> Vec<Right> {
    let headers = wall.headers();
    let ada = r#"{"email":"ada@example.com","password":"correct-horse"}"#;
    let new = r#"{"email":"x@y.zz","password":"12345678"}"#;
    vec![
        right(
            "orders",
            "GET /api/v1/orders?limit=5&status=PAID",
            &headers,
            "",
            200,
        ),
        right(
            "products",
            "GET /api/v1/products?limit=5&cursor=A",
            "",
            "",
            200,
        ),
        right("login", "POST /api/v1/auth/login", JSON, ada, 200),
        right("register", "POST /api/v1/auth/register", JSON, new, 201),
    ]
}

/// What needs the answers before it: an order's number and a refresh token.
fn follow_ups(wall: &Wall, order_id: i64, refresh_token: &str) -> Vec<Right> {
    let headers = wall.headers();
    let token = json!({"refresh_token": refresh_token}).to_string();
    let order = format!("GET /api/v1/orders/{order_id}");
    vec![
        right("the order", &order, &headers, "", 200),
        right(
            "its timeline",
            &format!("{order}/timeline"),
            &headers,
            "",
            200,
        ),
        right("refresh", "POST /api/v1/auth/refresh", JSON, &token, 200),
        right("logout", "POST /api/v1/auth/logout", JSON, &token, 204),
    ]
}

/// How many were taken.
pub(super) async fn assert_the_door_is_open(gateway: SocketAddr, wall: &Wall) -> usize {
    let mut refresh_token = String::new();
    let mut order_id = 0;
    let mut calls = orders(wall);
    calls.extend(queries_and_accounts(wall));
    for call in &calls {
        let answer = taken(gateway, call).await;
        if let Some(token) = body(&answer)["refresh_token"].as_str() {
            token.clone_into(&mut refresh_token);
        }
        order_id = body(&answer)["order_id"].as_i64().unwrap_or(order_id);
    }
    let more = follow_ups(wall, order_id, &refresh_token);
    for call in &more {
        taken(gateway, call).await;
    }
    calls.len() + more.len()
}

async fn taken(gateway: SocketAddr, call: &Right) -> String {
    let answer = exchange(gateway, &call.bytes).await;
    assert_eq!(
        status(&answer),
        Some(call.status),
        "{}: {answer}",
        call.name
    );
    answer
}
