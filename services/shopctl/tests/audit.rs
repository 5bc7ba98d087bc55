//! The audit against real databases: a world that is right is clean, and every invariant that is broken by direct
//! SQL is named, together with the one row where it is broken and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Parser;
use devstack::{SUPERUSER, TestStack};
use shopctl::audit::invariants::{ORDERS, STOCK};
use shopctl::audit::judge::Kind;
use shopctl::audit::{Target, Verdict, verdict};
use shopctl::cli::{Cli, run};
use shopctl::ui::Ui;

/// Test data is written past the services, so past their privileges too.
async fn sql(stack: &TestStack, database: &str, statements: &str) {
    let client = stack.cluster.connect(SUPERUSER, database).await.unwrap();
    if let Err(error) = client.batch_execute(statements).await {
        panic!("{database}: {:?}\n{statements}", error.as_db_error());
    }
}

async fn audit(stack: &TestStack) -> Verdict {
    verdict(&Target::of_cluster(&stack.cluster).unwrap())
        .await
        .unwrap()
}

/// The payment of an order, and with it the key of its charge.
fn payment_id(order: i64) -> String {
    format!("'00000000-0000-0000-0000-{order:012}'::uuid")
}

fn order_rows(order: i64, status: &str, saga_state: &str, wake_at: &str) -> String {
    format!(
        "INSERT INTO orders (order_id, customer_id, payment_method, lines, version, status, saga_state, step, details,
                             total_cents, currency, quote, wake_at)
         VALUES ({order}, gen_random_uuid(), 'tok_ok', '[]', 3, '{status}', '{saga_state}', 'Step', '{{}}',
                 100, 'EUR', '[]', {wake_at});
         INSERT INTO order_timeline (order_id, version, status, step, saga_state, cause, write_id)
         SELECT {order}, version, '{status}', 'Step', '{saga_state}', 'test', gen_random_uuid()
         FROM generate_series(1, 3) AS version;"
    )
}

fn reservation_rows(order: i64, state: &str, sku: &str) -> String {
    let stock = match state {
        "HELD" => "reserved = reserved + 1",
        "COMMITTED" => "on_hand = on_hand - 1",
        _ => "reserved = reserved",
    };
    let release = if state == "RELEASED" {
        format!(
            "INSERT INTO processed_releases SELECT gen_random_uuid(), reservation_id, order_id FROM reservations WHERE order_id = {order};"
        )
    } else {
        String::new()
    };
    format!(
        "INSERT INTO reservations (reservation_id, order_id, state, total_cents, currency, lines)
         VALUES (gen_random_uuid(), {order}, '{state}', 100, 'EUR',
                 '[{{\"sku\": \"{sku}\", \"quantity\": 1, \"unit_price_cents\": 100}}]');
         UPDATE stock SET {stock} WHERE sku = '{sku}';
         {release}"
    )
}

fn payment_rows(order: i64, state: &str, refund_state: &str) -> String {
    let id = payment_id(order);
    let mut text = format!(
        "INSERT INTO payments (payment_id, order_id, amount_cents, version, write_id, attempt, attempts_left, look_ups,
                               refund_attempt, refund_tries, void_requested, late_capture, state, refund_state,
                               currency, payment_method)
         VALUES ({id}, {order}, 100, 3, gen_random_uuid(), 1, 0, 0, 0, 0, false, false, '{state}', '{refund_state}',
                 'EUR', 'tok_ok');"
    );
    if state == "CAPTURED" {
        text +=
            &format!("INSERT INTO payment_attempts VALUES ({id}, 1, 'CAPTURED', now(), now());");
    }
    if refund_state == "REFUNDED" {
        text += &format!(
            "INSERT INTO refunds (refund_id, payment_id, attempt, amount_cents, state) VALUES ({id}, {id}, 1, 100, 'REFUNDED');"
        );
    }
    text
}

fn charge_rows(order: i64, outcome: &str, refunded: bool) -> String {
    let id = payment_id(order);
    let mut text = format!(
        "INSERT INTO provider_charges (idempotency_key, order_id, amount_cents, currency, payment_method, outcome)
         VALUES ({id}, {order}, 100, 'EUR', 'tok_ok', '{outcome}');"
    );
    if refunded {
        text += &format!(
            "INSERT INTO provider_refunds (idempotency_key, charge_key, amount_cents, currency, outcome) VALUES ({id}, {id}, 100, 'EUR', 'REFUNDED');"
        );
    }
    text
}

/// A world where everything is right, with orders of every kind of end. Ids tell the kind: 1xx paid, 2xx cancelled,
/// 3xx refunded, 4xx under way.
async fn right_world() -> TestStack {
    let stack = TestStack::migrated().await.unwrap();
    let [mut orders, mut inventory, mut payments, mut provider] = [const { String::new() }; 4];
    for sku in ["A", "B", "C", "D"] {
        inventory += &format!("SELECT add_product('{sku}', 'Product {sku}', 100, 'EUR', 1000);");
    }
    inventory += "SELECT adjust_stock(gen_random_uuid(), 'A', 5, 'delivery');";
    for id in 101..=109 {
        orders += &order_rows(id, "PAID", "COMPLETED", "NULL");
        inventory += &reservation_rows(id, "COMMITTED", "A");
        payments += &payment_rows(id, "CAPTURED", "NONE");
        provider += &charge_rows(id, "CAPTURED", false);
    }
    for id in 201..=209 {
        orders += &order_rows(id, "CANCELLED", "COMPENSATED", "NULL");
        inventory += &reservation_rows(id, "RELEASED", "A");
        payments += &payment_rows(id, "VOIDED", "NONE");
    }
    for id in 301..=309 {
        orders += &order_rows(id, "REFUNDED", "COMPENSATED", "NULL");
        inventory += &reservation_rows(id, "COMMITTED", "D");
        payments += &payment_rows(id, "CAPTURED", "REFUNDED");
        provider += &charge_rows(id, "CAPTURED", true);
    }
    for id in 401..=409 {
        orders += &order_rows(
            id,
            "AWAITING_PAYMENT",
            "RUNNING",
            "now() + interval '1 hour'",
        );
        inventory += &reservation_rows(id, "HELD", "A");
        payments += &payment_rows(id, "REQUESTED", "NONE");
    }
    sql(&stack, "ordersdb", &orders).await;
    sql(&stack, "inventorydb", &inventory).await;
    sql(&stack, "paymentsdb", &payments).await;
    sql(&stack, "providerdb", &provider).await;
    stack
}

fn found(verdict: &Verdict) -> BTreeSet<(String, String)> {
    verdict
        .violations
        .iter()
        .map(|violation| (violation.invariant.to_owned(), violation.subject.clone()))
        .collect()
}

#[tokio::test]
async fn a_right_world_is_clean_and_every_invariant_looked_at_something() {
    let stack = right_world().await;
    let verdict = audit(&stack).await;
    assert_eq!(found(&verdict), BTreeSet::new());
    assert!(verdict.is_clean());
    assert_eq!(verdict.orders, 36);
    for name in STOCK
        .iter()
        .map(|invariant| invariant.name)
        .chain(ORDERS.iter().map(|invariant| invariant.name))
    {
        assert!(verdict.looked_at[name] > 0, "{name} held against nothing");
    }
}

/// Database and SQL.
type Statement = (&'static str, &'static str);

/// Each invariant, the row where it gets broken, and the SQL that breaks it there and nowhere else.
const BREAKS: [(&str, &str, &[Statement]); 19] = [
    ("stock-on-hand", "SKU B", &[("inventorydb", "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'B'")]),
    ("stock-reserved", "SKU C", &[("inventorydb", "UPDATE stock SET reserved = 1 WHERE sku = 'C'")]),
    (
        "known-order",
        "order 901",
        &[(
            "inventorydb",
            "INSERT INTO reservations (reservation_id, order_id, state, refusal_reason)
             VALUES (gen_random_uuid(), 901, 'REFUSED', 'OUT_OF_STOCK')",
        )],
    ),
    (
        "one-reservation",
        "order 201",
        &[(
            "inventorydb",
            "INSERT INTO reservations (reservation_id, order_id, state, refusal_reason)
             VALUES (gen_random_uuid(), 201, 'REFUSED', 'OUT_OF_STOCK')",
        )],
    ),
    (
        "one-capture",
        "order 101",
        &[(
            "paymentsdb",
            "INSERT INTO payment_attempts VALUES ('00000000-0000-0000-0000-000000000101', 2, 'CAPTURED')",
        )],
    ),
    ("same-price", "order 102", &[("ordersdb", "UPDATE orders SET total_cents = 101 WHERE order_id = 102")]),
    (
        "paid-and-completed",
        "order 103",
        &[("paymentsdb", "UPDATE payments SET refund_state = 'STUCK' WHERE order_id = 103")],
    ),
    (
        "captured-and-sold",
        "order 104",
        &[(
            "ordersdb",
            "UPDATE orders SET status = 'AWAITING_PAYMENT', saga_state = 'RUNNING', wake_at = now() + interval '1 hour'
             WHERE order_id = 104",
        )],
    ),
    (
        "refunded",
        "order 301",
        &[(
            "inventorydb",
            "UPDATE reservations SET state = 'HELD' WHERE order_id = 301;
             UPDATE stock SET on_hand = on_hand + 1, reserved = reserved + 1 WHERE sku = 'D'",
        )],
    ),
    (
        "refunded",
        "order 302",
        &[
            ("paymentsdb", "DELETE FROM refunds WHERE payment_id = '00000000-0000-0000-0000-000000000302'"),
            ("providerdb", "DELETE FROM provider_refunds WHERE charge_key = '00000000-0000-0000-0000-000000000302'"),
        ],
    ),
    (
        "ended-without-trace",
        "order 202",
        &[
            (
                "paymentsdb",
                "UPDATE payments SET state = 'CAPTURED' WHERE order_id = 202;
                 INSERT INTO payment_attempts VALUES ('00000000-0000-0000-0000-000000000202', 1, 'CAPTURED')",
            ),
            (
                "providerdb",
                "INSERT INTO provider_charges (idempotency_key, order_id, amount_cents, currency, payment_method, outcome)
                 VALUES ('00000000-0000-0000-0000-000000000202', 202, 100, 'EUR', 'tok_ok', 'CAPTURED')",
            ),
        ],
    ),
    (
        "ended-without-trace",
        "order 203",
        &[(
            "inventorydb",
            "UPDATE reservations SET state = 'HELD' WHERE order_id = 203;
             DELETE FROM processed_releases WHERE order_id = 203;
             UPDATE stock SET reserved = reserved + 1 WHERE sku = 'A'",
        )],
    ),
    ("released-once", "order 204", &[("inventorydb", "DELETE FROM processed_releases WHERE order_id = 204")]),
    (
        "timeline-complete",
        "order 105",
        &[("ordersdb", "DELETE FROM order_timeline WHERE order_id = 105 AND version = 2")],
    ),
    (
        "orders-end",
        "order 401",
        &[("ordersdb", "UPDATE orders SET wake_at = now() - interval '61 seconds' WHERE order_id = 401")],
    ),
    ("provider-ledger", "order 106", &[("providerdb", "DELETE FROM provider_charges WHERE order_id = 106")]),
    (
        "provider-ledger",
        "order 107",
        &[("providerdb", "UPDATE provider_charges SET amount_cents = 99 WHERE order_id = 107")],
    ),
    (
        "provider-ledger",
        "order 303",
        &[("providerdb", "DELETE FROM provider_refunds WHERE charge_key = '00000000-0000-0000-0000-000000000303'")],
    ),
    (
        "provider-ledger",
        "order 205",
        &[(
            "providerdb",
            "INSERT INTO provider_charges (idempotency_key, order_id, amount_cents, currency, payment_method, outcome)
             VALUES ('00000000-0000-0000-0000-000000000205', 205, 100, 'EUR', 'tok_ok', 'CAPTURED')",
        )],
    ),
];

#[tokio::test]
async fn every_broken_invariant_is_named_where_it_is_broken_and_nowhere_else() {
    let stack = right_world().await;
    for (_, _, statements) in BREAKS {
        for (database, statement) in statements {
            sql(&stack, database, statement).await;
        }
    }
    let verdict = audit(&stack).await;
    let should: BTreeSet<(String, String)> = BREAKS
        .iter()
        .map(|(name, subject, _)| ((*name).to_owned(), (*subject).to_owned()))
        .collect();
    assert_eq!(found(&verdict), should);

    let broken: BTreeSet<&str> = BREAKS.iter().map(|(name, ..)| *name).collect();
    for name in STOCK
        .iter()
        .map(|invariant| invariant.name)
        .chain(ORDERS.iter().map(|invariant| invariant.name))
    {
        assert!(broken.contains(name), "no statement breaks {name}");
    }
}

#[tokio::test]
async fn what_is_under_way_stuck_owed_or_not_looked_up_is_listed_and_no_violation() {
    let stack = right_world().await;
    sql(
        &stack,
        "ordersdb",
        "UPDATE orders SET saga_state = 'STUCK', wake_at = NULL, details = '{\"reason\": \"commit_refused\"}'
         WHERE order_id = 402",
    )
    .await;
    sql(
        &stack,
        "paymentsdb",
        "UPDATE payments SET late_capture = true, refund_state = 'STUCK', reason = 'refund_refused' WHERE order_id = 206;
         INSERT INTO payment_attempts VALUES ('00000000-0000-0000-0000-000000000206', 1, 'CAPTURED');
         UPDATE payments SET wake_at = now() + interval '1 hour' WHERE order_id = 207;",
    )
    .await;
    sql(
        &stack,
        "providerdb",
        &(charge_rows(206, "CAPTURED", false) + &charge_rows(207, "CAPTURED", false)),
    )
    .await;

    let verdict = audit(&stack).await;
    assert_eq!(found(&verdict), BTreeSet::new());
    assert!(!verdict.is_settled());
    let listed = |kind: Kind| -> Vec<(&str, &str)> {
        verdict
            .listed
            .iter()
            .filter(|listed| listed.kind == kind)
            .map(|listed| (listed.subject.as_str(), listed.detail.as_str()))
            .collect()
    };
    assert_eq!(listed(Kind::Stuck).len(), 1);
    assert!(listed(Kind::Stuck)[0].1.contains("commit_refused"));
    assert_eq!(
        listed(Kind::Owed),
        [("order 206", "100 EUR to the customer: refund_refused")]
    );
    assert_eq!(listed(Kind::NotLookedUp), [("order 207", "100 EUR")]);
    // Nine orders are under way; the stuck one is listed as stuck, and its open payment beside it.
    assert_eq!(listed(Kind::Unsettled).len(), 9);
}

/// An operator's word is taken for the money, never for stock that nobody else can buy.
#[tokio::test]
async fn an_order_settled_by_hand_answers_for_its_goods_only() {
    let stack = right_world().await;
    let by_hand = |id: i64, cause: &str| {
        format!(
            "UPDATE order_timeline SET cause = '{cause}' WHERE order_id = {id} AND version = 3;"
        )
    };
    let (here, before) = (
        "An operator settled the order by hand.",
        "Operator ada settled the order by hand: a letter",
    );
    let orders: String = [101, 202, 203, 301].map(|id| by_hand(id, here)).concat();
    let record = "INSERT INTO operator_actions (action_id, who, why, action, target, outcome, created_at)
        VALUES (gen_random_uuid(), 'ada', 'by transfer', 'saga.resolve', '202', 'DONE', now()),
               (gen_random_uuid(), 'bob', 'too late', 'saga.resolve', '202', 'REFUSED', now() + interval '1 s'),
               (gen_random_uuid(), 'bob', 'not settled', 'saga.resolve', '201', 'DONE', now());";
    sql(
        &stack,
        "ordersdb",
        &(orders + &by_hand(204, before) + record),
    )
    .await;
    // Money that is not where the order says: their word for it.
    let captured = "UPDATE payments SET state = 'CAPTURED' WHERE order_id = 202;
        INSERT INTO payment_attempts VALUES ('00000000-0000-0000-0000-000000000202', 1, 'CAPTURED')";
    sql(&stack, "paymentsdb", captured).await;
    sql(&stack, "providerdb", &charge_rows(202, "CAPTURED", false)).await;
    // Goods that are held: 101 as completed, 203 as cancelled, 301 as refunded.
    let held = "UPDATE reservations SET state = 'HELD' WHERE order_id IN (101, 203, 301);
        DELETE FROM processed_releases WHERE order_id = 203;
        UPDATE stock SET on_hand = on_hand + 1, reserved = reserved + 2 WHERE sku = 'A';
        UPDATE stock SET on_hand = on_hand + 1, reserved = reserved + 1 WHERE sku = 'D'";
    sql(&stack, "inventorydb", held).await;

    let verdict = audit(&stack).await;

    let should = [
        ("paid-and-completed", "order 101"),
        ("ended-without-trace", "order 203"),
        ("refunded", "order 301"),
    ];
    let should = should.map(|(name, subject)| (name.to_owned(), subject.to_owned()));
    assert_eq!(found(&verdict), BTreeSet::from(should));
    let mut listed: Vec<(&str, &str)> = verdict
        .listed
        .iter()
        .filter(|listed| listed.kind == Kind::ByHand)
        .map(|listed| (listed.subject.as_str(), listed.detail.as_str()))
        .collect();
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            ("order 101", here),
            ("order 202", "ada: by transfer"),
            ("order 203", here),
            ("order 204", before),
            ("order 301", here),
        ]
    );
}

#[tokio::test]
async fn the_exit_code_tells_a_violation() {
    let stack = right_world().await;
    let url = stack.cluster.url(devstack::AUDIT_ROLE, "ordersdb");
    let audited = || async {
        run(
            Cli::parse_from(["shopctl", "audit", "--url", &url]),
            &Ui::plain(),
        )
        .await
        .unwrap()
    };
    assert_eq!(audited().await, ExitCode::SUCCESS);
    sql(
        &stack,
        "inventorydb",
        "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'B'",
    )
    .await;
    assert_eq!(audited().await, ExitCode::FAILURE);
}
