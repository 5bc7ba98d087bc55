//! What a customer may get wrong: each is refused with a problem that says what to do, and no row changes in any database.

use serde_json::{Value, json};

use crate::rows::fingerprint;
use crate::world::World;

#[tokio::test]
async fn bad_orders_are_refused_with_advice_and_change_nothing() {
    let world = World::start().await;
    let order = |items: Value| json!({ "items": items, "payment_method": "tok_ok" });
    let line = |sku: &str, quantity: Value| json!([{ "sku": sku, "quantity": quantity }]);
    let many: Vec<Value> = (0..1_000)
        .map(|n| json!({ "sku": format!("S{n}"), "quantity": 1 }))
        .collect();
    let long = "x".repeat(70 * 1024);
    let cases = [
        ("quantity 0", order(line("PLENTY", json!(0))), 400),
        ("negative quantity", order(line("PLENTY", json!(-1))), 400),
        ("huge quantity", order(line("PLENTY", json!(10_001))), 400),
        ("beyond i64", order(line("PLENTY", json!(1e300))), 400),
        ("text quantity", order(line("PLENTY", json!("2"))), 400),
        ("no lines", order(json!([])), 400),
        ("1,000 lines", order(Value::Array(many)), 400),
        (
            "a SKU twice",
            order(json!([{ "sku": "PLENTY", "quantity": 1 }, { "sku": "PLENTY", "quantity": 1 }])),
            400,
        ),
        (
            "an unknown field",
            json!({ "items": [{ "sku": "PLENTY", "quantity": 1 }], "payment_method": "tok_ok", "discount": 99 }),
            400,
        ),
        (
            "no payment method",
            json!({ "items": [{ "sku": "PLENTY", "quantity": 1 }] }),
            400,
        ),
        ("a body over 64 KiB", order(line(&long, json!(1))), 413),
        (
            "another customer",
            json!({ "items": [{ "sku": "PLENTY", "quantity": 1 }], "payment_method": "tok_ok",
                    "customer_id": "00000000-0000-7000-8000-00000000ffff" }),
            403,
        ),
    ];
    let before = fingerprint(&world.stack).await;
    for (what, body, status) in &cases {
        let answer = world.api.post("/api/v1/orders", body, &[]).await.unwrap();
        assert_eq!(answer.status, *status, "{what}: {answer:?}");
        assert!(!answer.text("type").is_empty(), "{what}: {answer:?}");
        assert!(answer.text("detail").len() > 10, "{what}: {answer:?}");
    }
    let anonymous = world
        .anonymous
        .post("/api/v1/orders", &order(line("PLENTY", json!(1))), &[])
        .await
        .unwrap();
    assert_eq!(anonymous.status, 401);
    let foreign = world.api.get("/api/v1/orders/999999999").await.unwrap();
    assert_eq!(foreign.status, 404);
    assert_eq!(fingerprint(&world.stack).await, before, "no row changed");

    // The same call with good values is taken: the refusals were not a closed door.
    let good = world.order("PLENTY", 10_000, "tok_ok").await;
    assert_eq!(good.status, 201, "{good:?}");
    world.reaches(good.order_id().unwrap(), &["PAID"]).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn an_unknown_sku_is_a_refusal_of_stock_and_holds_nothing() {
    let world = World::start().await;
    let answer = world.order("NO-SUCH-THING", 1, "tok_ok").await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.text("type").ends_with("unknown-sku"), "{answer:?}");
    let order = world.get(answer.order_id().unwrap()).await;
    assert_eq!(order["status"], "REJECTED");
    world.audit_and_stop().await;
}
