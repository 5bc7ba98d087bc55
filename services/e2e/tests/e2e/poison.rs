//! Events that cannot be right, sent by the one who may send them: each becomes a dead letter and changes nothing else, in any database.

use std::collections::BTreeMap;

use prost::Message as _;
use shopapi_proto::events::v1::{OrderCreated, PaymentSucceeded};
use shopapi_proto::subjects;

use crate::bus::{Caller, envelope};
use crate::rows::fingerprint;
use crate::world::World;

/// Above what a consumer takes, below what the broker does.
const OVERSIZE_BYTES: usize = 65 * 1024;
const LETTERS: &str = "SELECT count(*) FROM dead_letters";

struct Bad {
    what: &'static str,
    schema_version: Option<&'static str>,
    payload: Vec<u8>,
}

fn bad(what: &'static str, payload: Vec<u8>) -> Bad {
    Bad {
        what,
        schema_version: Some("1"),
        payload,
    }
}

/// What is bad about any event, whatever it says.
fn malformed(good: &[u8]) -> Vec<Bad> {
    let versioned = |what, schema_version| Bad {
        what,
        schema_version,
        payload: good.to_vec(),
    };
    let mut oversize = good.to_vec();
    oversize.resize(OVERSIZE_BYTES, 0);
    vec![
        bad("random", b"\xff\xfe\x07 not a protobuf \x80".to_vec()),
        bad("truncated", good[..good.len() / 2].to_vec()),
        bad("empty", Vec::new()),
        bad("oversize", oversize),
        versioned("an unknown version", Some("999")),
        versioned("a version that is no number", Some("one")),
        versioned("no envelope", None),
    ]
}

/// Everything but the dead letters.
async fn books(world: &World) -> BTreeMap<String, (i64, String)> {
    let mut rows = fingerprint(&world.stack).await;
    let before = rows.len();
    rows.retain(|table, _| !table.ends_with("dead_letters"));
    assert_eq!(before - rows.len(), 2, "two tables of dead letters");
    rows
}

/// Waits until nothing is under way: marks and completions are written a moment after what they tell of.
async fn at_rest(world: &World) {
    let unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
    world.count_reaches("orders", unpublished, 0).await;
    world.count_reaches("payments", unpublished, 0).await;
    let running = "SELECT count(*) FROM orders WHERE saga_state <> 'COMPLETED'";
    world.count_reaches("orders", running, 0).await;
}

/// A paid order, and what payments keeps of it.
struct Paid {
    order_id: i64,
    payment_id: String,
    amount_cents: i64,
}

async fn paid(world: &World) -> Paid {
    let answer = world.order("PLENTY", 2, "tok_ok").await;
    let order_id = answer.order_id().unwrap();
    world.reaches(order_id, &["PAID"]).await;
    let payments = world.stack.cluster.connect("payments_owner", "paymentsdb");
    let row = payments
        .await
        .unwrap()
        .query_one(
            "SELECT payment_id::text, amount_cents FROM payments WHERE order_id = $1",
            &[&order_id],
        )
        .await
        .unwrap();
    Paid {
        order_id,
        payment_id: row.get(0),
        amount_cents: row.get(1),
    }
}

async fn send(sender: &Caller, subject: &str, first: u32, events: &[Bad]) {
    for (number, event) in (first..).zip(events) {
        let headers = match event.schema_version {
            Some(version) => envelope(number, version),
            None => async_nats::HeaderMap::new(),
        };
        let sent = sender
            .publish(subject, headers, event.payload.clone())
            .await;
        assert!(
            sent.is_ok(),
            "{} did not reach the bus: {sent:?}",
            event.what
        );
    }
}

fn letters(events: &[Bad]) -> i64 {
    i64::try_from(events.len()).unwrap()
}

#[tokio::test]
async fn an_order_that_cannot_be_right_is_a_dead_letter_of_payments_and_nothing_else() {
    let world = World::start().await;
    let (one, other) = (paid(&world).await, paid(&world).await);
    at_rest(&world).await;
    let created = |payment_id: &str, order_id, amount_cents, currency: &str| {
        OrderCreated {
            order_id,
            customer_id: "00000000-0000-7000-8000-000000000001".to_owned(),
            payment_id: payment_id.to_owned(),
            amount_cents,
            currency: currency.to_owned(),
            payment_method: "tok_ok".to_owned(),
            lines: Vec::new(),
        }
        .encode_to_vec()
    };
    let good = created(&one.payment_id, one.order_id, one.amount_cents, "EUR");
    let id = one.payment_id.as_str();
    let mut events = malformed(&good);
    events.extend([
        bad(
            "another amount",
            created(id, one.order_id, one.amount_cents + 1, "EUR"),
        ),
        bad(
            "another currency",
            created(id, one.order_id, one.amount_cents, "USD"),
        ),
        bad(
            "another order",
            created(id, other.order_id, one.amount_cents, "EUR"),
        ),
        bad(
            "no payment id",
            created("", one.order_id, one.amount_cents, "EUR"),
        ),
        bad(
            "a payment id that is none",
            created("7", one.order_id, one.amount_cents, "EUR"),
        ),
        bad(
            "a negative amount",
            created("0190d2f0-0000-7000-8000-0000000000aa", 999_999, -1, "EUR"),
        ),
    ]);
    let before = books(&world).await;

    let orders = world.bus("orders").await;
    send(&orders, subjects::ORDERS_CREATED, 1, &events).await;

    world
        .count_reaches("payments", LETTERS, letters(&events))
        .await;
    assert_eq!(books(&world).await, before, "no other row changed");
    println!(
        "{} bad events became dead letters of payments; no other row changed in {} tables",
        events.len(),
        before.len()
    );
    // The same event put right is taken, without effect: it is known. A new one is paid.
    let repeated = orders.publish(subjects::ORDERS_CREATED, envelope(900, "1"), good);
    repeated.await.unwrap();
    paid(&world).await;
    assert_eq!(world.count("payments", LETTERS).await, letters(&events));
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_payment_that_cannot_be_right_is_a_dead_letter_of_orders_and_nothing_else() {
    let world = World::start().await;
    let (one, other) = (paid(&world).await, paid(&world).await);
    at_rest(&world).await;
    let succeeded = |payment_id: &str, order_id, amount_cents, currency: &str| {
        PaymentSucceeded {
            payment_id: payment_id.to_owned(),
            order_id,
            amount_cents,
            currency: currency.to_owned(),
        }
        .encode_to_vec()
    };
    let id = one.payment_id.as_str();
    let good = succeeded(id, one.order_id, one.amount_cents, "EUR");
    let mut events = malformed(&good);
    events.extend([
        bad(
            "another amount",
            succeeded(id, one.order_id, one.amount_cents + 1, "EUR"),
        ),
        bad(
            "another currency",
            succeeded(id, one.order_id, one.amount_cents, "USD"),
        ),
        bad(
            "another order's payment",
            succeeded(&other.payment_id, one.order_id, one.amount_cents, "EUR"),
        ),
        bad(
            "an order that does not exist",
            succeeded(id, 999_999_999, one.amount_cents, "EUR"),
        ),
        bad(
            "a payment id that is none",
            succeeded("7", one.order_id, one.amount_cents, "EUR"),
        ),
    ]);
    let before = books(&world).await;

    let payments = world.bus("payments").await;
    send(&payments, subjects::PAYMENTS_SUCCEEDED, 1, &events).await;

    world
        .count_reaches("orders", LETTERS, letters(&events))
        .await;
    assert_eq!(books(&world).await, before, "no other row changed");
    println!(
        "{} bad events became dead letters of orders; no other row changed in {} tables",
        events.len(),
        before.len()
    );
    let repeated = payments.publish(subjects::PAYMENTS_SUCCEEDED, envelope(900, "1"), good);
    repeated.await.unwrap();
    paid(&world).await;
    assert_eq!(world.count("orders", LETTERS).await, letters(&events));
    world.audit_and_stop().await;
}
