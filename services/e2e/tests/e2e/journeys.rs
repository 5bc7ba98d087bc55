//! Orders on their way, as a customer sees them.

use futures::future::join_all;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn four_orders_end_in_the_four_ways_an_order_can() {
    let world = World::start().await;
    let before = world.available("MOKA-POT-3").await;

    let paid = world
        .order_with("MOKA-POT-3", 2, "tok_ok", &[("prefer", "wait=20")])
        .await;
    assert_eq!(
        (paid.status, paid.text("status")),
        (201, "PAID"),
        "{paid:?}"
    );
    assert_eq!(paid.body["total_cents"], 6_980);
    let paid_id = paid.order_id().unwrap();

    let declined = world
        .order_with("MOKA-POT-3", 3, "tok_declined", &[("prefer", "wait=20")])
        .await;
    assert_eq!(declined.text("status"), "CANCELLED", "{declined:?}");
    assert_eq!(declined.text("cancel_reason"), "payment_declined");

    let short = world.order("MACHINE-GOLD", 2, "tok_ok").await;
    assert_eq!(short.status, 409, "{short:?}");
    assert!(short.text("type").ends_with("out-of-stock"));
    assert_eq!(
        short.body["lines"],
        json!([{ "sku": "MACHINE-GOLD", "requested": 2, "available": 1 }])
    );
    let refused = world.get(short.order_id().unwrap()).await;
    assert_eq!(refused["status"], "REJECTED");

    let slow = world.order("MOKA-POT-3", 1, "tok_flaky_50").await;
    assert_eq!(
        (slow.status, slow.text("status")),
        (201, "AWAITING_PAYMENT"),
        "{slow:?}"
    );
    let slow_id = slow.order_id().unwrap();
    let cancel = format!("/api/v1/orders/{slow_id}/cancel");
    let cancelled = world.api.post(&cancel, &json!({}), &[]).await.unwrap();
    assert!([200, 202].contains(&cancelled.status), "{cancelled:?}");
    let ended = world.reaches(slow_id, &["CANCELLED"]).await;
    assert_eq!(ended["cancel_reason"], "user_requested");
    let again = world.api.post(&cancel, &json!({}), &[]).await.unwrap();
    assert_eq!(again.status, 200, "a repeat of what holds: {again:?}");

    let too_late = format!("/api/v1/orders/{paid_id}/cancel");
    let too_late = world.api.post(&too_late, &json!({}), &[]).await.unwrap();
    assert_eq!(too_late.status, 409);
    assert!(too_late.text("type").ends_with("already-paid"));

    assert_eq!(world.available("MOKA-POT-3").await, before - 2);
    let causes = world.timeline(paid_id).await;
    let statuses: Vec<_> = causes.iter().map(|(status, _)| status.as_str()).collect();
    assert!(
        statuses.starts_with(&["PENDING", "AWAITING_PAYMENT", "PAID"]),
        "{causes:?}"
    );
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_paid_order_is_refunded_when_the_customer_asks() {
    let world = World::start().await;
    let paid = world
        .order_with("PLENTY", 1, "tok_ok", &[("prefer", "wait=20")])
        .await;
    let id = paid.order_id().unwrap();
    let path = format!("/api/v1/orders/{id}/refund");
    let asked = world.api.post(&path, &json!({}), &[]).await.unwrap();
    assert!([200, 202].contains(&asked.status), "{asked:?}");
    world.reaches(id, &["REFUNDED"]).await;
    let again = world.api.post(&path, &json!({}), &[]).await.unwrap();
    assert_eq!(again.status, 200, "{again:?}");
    world.audit_and_stop().await;
}

#[tokio::test]
async fn an_idempotency_key_names_one_order() {
    let world = World::start().await;
    let key = [("idempotency-key", "basket-1"), ("prefer", "wait=20")];
    let first = world.order_with("PLENTY", 1, "tok_ok", &key).await;
    let second = world.order_with("PLENTY", 1, "tok_ok", &key).await;
    assert_eq!(first.order_id().unwrap(), second.order_id().unwrap());
    let other = world.order_with("PLENTY", 2, "tok_ok", &key).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert!(other.text("type").ends_with("idempotency-key-reused"));

    // A crowd with one key: one order.
    let crowd = [("idempotency-key", "basket-2"), ("prefer", "wait=20")];
    let mut answers = Vec::new();
    let requests = (0..8).map(|_| world.order_with("PLENTY", 1, "tok_ok", &crowd));
    for request in join_all(requests).await {
        answers.push(request.order_id().unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    let orders = world.count("orders", "SELECT count(*) FROM orders").await;
    assert_eq!(orders, 2);
    world.audit_and_stop().await;
}
