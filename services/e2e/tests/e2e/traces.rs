//! One order is one trace, across services, the bus, crashes and redeliveries.

use devstack::{SUPERUSER, Signal};
use prost::Message as _;
use shopapi_proto::events::v1::OrderCreated;
use shopapi_proto::headers;
use shopapi_telemetry::testing::ReceivedSpan;

use crate::bus::envelope;
use crate::operators::{act, asks_for_a_refund, is};
use crate::traced::{Trace, Traced, until};

/// The way of every order to its request for money, by edges: parent → child.
const TO_PAYMENT: [(&str, &str); 12] = [
    (
        "gateway: POST /api/v1/orders",
        "gateway: shopapi.orders.v1.OrdersService/CreateOrder",
    ),
    (
        "gateway: shopapi.orders.v1.OrdersService/CreateOrder",
        "orders: shopapi.orders.v1.OrdersService/CreateOrder",
    ),
    (
        "orders: shopapi.orders.v1.OrdersService/CreateOrder",
        "orders: actor saga-registry",
    ),
    ("orders: actor saga-registry", "orders: actor saga"),
    ("orders: actor saga", "orders: commit"),
    (
        "orders: actor saga",
        "orders: shopapi.inventory.v1.InventoryService/Reserve",
    ),
    (
        "orders: shopapi.inventory.v1.InventoryService/Reserve",
        "inventory: shopapi.inventory.v1.InventoryService/Reserve",
    ),
    (
        "inventory: shopapi.inventory.v1.InventoryService/Reserve",
        "inventory: commit",
    ),
    ("orders: saga reserving", "orders: commit"),
    ("orders: saga reserving", "orders: publish orders.created"),
    (
        "orders: publish orders.created",
        "payments: process orders.created",
    ),
    ("payments: charge payment", "payments: commit"),
];

/// Databases, messages and calls are told of in the words of the semantic conventions.
fn assert_conventions(trace: &Trace) {
    let commit = trace
        .spans
        .iter()
        .find(|span| span.service == "orders" && span.name == "commit")
        .unwrap();
    assert_eq!(commit.attribute("db.system.name"), Some("postgresql"));
    let text = commit.attribute("db.query.text").unwrap();
    assert!(text.contains("INSERT INTO orders"), "{text}");
    let summary = commit.attribute("db.query.summary").unwrap();
    assert!(summary.contains("INSERT orders"), "{summary}");
    assert_eq!(commit.links.len(), 1, "the batch");
    let publish = trace
        .spans
        .iter()
        .find(|span| span.name == "publish orders.created")
        .unwrap();
    assert_eq!(publish.attribute("messaging.system"), Some("nats"));
    assert_eq!(
        publish.attribute("messaging.destination.name"),
        Some("orders.created")
    );
    assert_eq!(
        publish.attribute("messaging.operation.name"),
        Some("publish")
    );
    for service in ["gateway", "orders"] {
        let method = "shopapi.orders.v1.OrdersService/CreateOrder";
        let call = trace
            .spans
            .iter()
            .find(|span| span.service == service && span.name == method)
            .unwrap();
        assert_eq!(call.attribute("rpc.system.name"), Some("grpc"));
        assert_eq!(call.attribute("rpc.method"), Some(method));
        assert_eq!(call.attribute("rpc.response.status_code"), Some("OK"));
    }
}

#[tokio::test]
async fn a_paid_and_a_declined_order_are_one_trace_each() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let paid = world
        .order_with("PLENTY", 1, "tok_ok", &[("prefer", "wait=20")])
        .await;
    let paid = paid.order_id().unwrap();
    let declined = world
        .order_with("PLENTY", 1, "tok_declined", &[("prefer", "wait=20")])
        .await;
    let declined = declined.order_id().unwrap();

    let mut edges = TO_PAYMENT.to_vec();
    edges.extend([
        (
            "payments: process orders.created",
            "payments: charge payment",
        ),
        (
            "payments: charge payment",
            "payments: publish payments.succeeded",
        ),
        (
            "payments: publish payments.succeeded",
            "orders: process payments.succeeded",
        ),
        ("orders: process payments.succeeded", "orders: actor saga"),
        ("orders: saga awaiting_payment", "orders: commit"),
        (
            "orders: saga awaiting_payment",
            "orders: publish orders.paid",
        ),
        (
            "orders: shopapi.inventory.v1.InventoryService/Commit",
            "inventory: shopapi.inventory.v1.InventoryService/Commit",
        ),
    ]);
    let trace = traced.trace_with(paid, &edges).await;
    println!("paid: {}", trace.tree());
    assert_eq!(trace.anonymous(paid), Vec::<String>::new());
    assert_eq!(trace.orphans(), Vec::<String>::new());
    assert_conventions(&trace);

    let mut edges = TO_PAYMENT.to_vec();
    edges.extend([
        (
            "payments: charge payment",
            "payments: publish payments.failed",
        ),
        (
            "payments: publish payments.failed",
            "orders: process payments.failed",
        ),
        ("orders: process payments.failed", "orders: actor saga"),
        (
            "orders: shopapi.inventory.v1.InventoryService/Release",
            "inventory: shopapi.inventory.v1.InventoryService/Release",
        ),
        ("orders: saga releasing", "orders: commit"),
        ("orders: saga releasing", "orders: publish orders.cancelled"),
    ]);
    let other = traced.trace_with(declined, &edges).await;
    println!("declined: {}", other.tree());
    assert_eq!(other.anonymous(declined), Vec::<String>::new());
    assert_ne!(other.trace_id, trace.trace_id);
    traced.world.audit_and_stop().await;
}

/// The spans of a trace that say which order they are about, with what they say.
const ABOUT_AN_ORDER: [&str; 3] = [
    "gateway: POST /api/v1/orders",
    "gateway: shopapi.orders.v1.OrdersService/CreateOrder",
    "orders: shopapi.orders.v1.OrdersService/CreateOrder",
];

#[tokio::test]
async fn a_rejected_order_and_a_repeated_request_are_found_by_their_order() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let rejected = world.order("MACHINE-GOLD", 2, "tok_ok").await;
    assert_eq!(rejected.status, 409, "{rejected:?}");
    let rejected = rejected.body["order_id"].as_i64().unwrap();
    let key = [("idempotency-key", "once")];
    let first = world.order_with("PLENTY", 1, "tok_ok", &key).await;
    let repeat = world.order_with("PLENTY", 1, "tok_ok", &key).await;
    let order_id = first.order_id().unwrap();
    assert_eq!(repeat.order_id().unwrap(), order_id);

    for (order_id, calls) in [(rejected, 1), (order_id, 2)] {
        let id = order_id.to_string();
        let about = |label: &str| {
            let spans = traced.receiver.spans().into_iter();
            let spans = spans.filter(|span| crate::traced::label(span) == label);
            spans
                .filter(|span| span.attributes_of("order.id") == [id.as_str()])
                .collect::<Vec<_>>()
        };
        until("each call names the order, and no other", async || {
            ABOUT_AN_ORDER
                .into_iter()
                .all(|label| about(label).len() == calls)
        })
        .await;
    }
    let first = traced.trace(order_id).await.trace_id;
    let calls = traced.receiver.spans().into_iter();
    let mut calls = calls.filter(|span| {
        crate::traced::label(span) == ABOUT_AN_ORDER[2]
            && span.attribute("order.id") == Some(&order_id.to_string())
            && span.trace_id != first
    });
    let repeat = calls.next().unwrap();
    assert!(
        repeat.links.iter().any(|(trace, _)| *trace == first),
        "it links to the first call's trace: {repeat:?}"
    );
    traced.world.audit_and_stop().await;
}

const CHOSEN_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CHOSEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

#[tokio::test]
async fn a_stranger_decides_neither_the_trace_nor_its_sampling() {
    let traced = Traced::start(1).await;
    let chosen = [("traceparent", CHOSEN)];
    let order = traced
        .world
        .order_with("PLENTY", 1, "tok_ok", &chosen)
        .await;
    let order_id = order.order_id().unwrap();
    let trace = traced.trace_with(order_id, &TO_PAYMENT).await;
    assert_ne!(trace.trace_id, CHOSEN_TRACE);
    let root = trace.spans.iter().find(|span| span.parent_id.is_empty());
    let root = root.unwrap();
    assert_eq!(root.name, "POST /api/v1/orders");
    assert_eq!(root.links.len(), 1);
    assert_eq!(root.links[0].0, CHOSEN_TRACE);
    traced.world.reaches(order_id, &["PAID"]).await;
    traced.world.audit_and_stop().await;
}

#[tokio::test]
async fn a_trusted_proxys_trace_goes_on() {
    let ours = [("SHOPAPI_TRUSTED_PROXIES", "127.0.0.1")];
    let traced = Traced::start_with(1, &ours).await;
    let chosen = CHOSEN.replace("331-00", "331-01");
    let headers = [("traceparent", chosen.as_str())];
    let order = traced
        .world
        .order_with("PLENTY", 1, "tok_ok", &headers)
        .await;
    let order_id = order.order_id().unwrap();
    let trace = traced.trace_with(order_id, &TO_PAYMENT).await;
    assert_eq!(trace.trace_id, CHOSEN_TRACE);
    traced.world.reaches(order_id, &["PAID"]).await;
    traced.world.audit_and_stop().await;
}

#[tokio::test]
async fn a_restarted_service_continues_the_trace() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    // The charge takes longer than orders lives.
    let order = world.order("PLENTY", 1, "tok_slow_3000").await;
    assert_eq!(order.text("status"), "AWAITING_PAYMENT", "{order:?}");
    let order_id = order.order_id().unwrap();
    until("the first part of the trace left", async || {
        let edges = traced.trace(order_id).await.edges();
        edges
            .iter()
            .any(|(_, child)| child == "orders: publish orders.created")
    })
    .await;
    let pid = world.service("orders").pid();
    world.service("orders").signal(Signal::Kill).await.unwrap();
    world.reaches(order_id, &["PAID"]).await;
    assert_ne!(world.service("orders").pid(), pid, "orders was restarted");

    let mut edges = TO_PAYMENT.to_vec();
    edges.extend([
        (
            "payments: publish payments.succeeded",
            "orders: process payments.succeeded",
        ),
        ("orders: process payments.succeeded", "orders: actor saga"),
        ("orders: saga awaiting_payment", "orders: commit"),
    ]);
    let trace = traced.trace_with(order_id, &edges).await;
    println!("interrupted: {}", trace.tree());
    assert_eq!(trace.anonymous(order_id), Vec::<String>::new());
    traced.world.audit_and_stop().await;
}

/// The traceparent and the payload of an order's request for money.
async fn request_for_money(traced: &Traced, order_id: i64) -> (String, Vec<u8>) {
    let cluster = &traced.world.stack.cluster;
    let owner = cluster.connect("orders_owner", "ordersdb").await.unwrap();
    let query = "SELECT traceparent, payload FROM outbox WHERE order_id = $1 AND subject = 'orders.created'";
    let row = owner.query_one(query, &[&order_id]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Delivers an order's request for money once more, as a broker does that forgot the acknowledgement.
async fn deliver_again(traced: &Traced, order_id: i64, number: u32) {
    let (traceparent, payload) = request_for_money(traced, order_id).await;
    let mut envelope = envelope(number, "1");
    envelope.insert(headers::TRACEPARENT, traceparent);
    let bus = traced.world.bus("orders").await;
    bus.publish("orders.created", envelope, payload)
        .await
        .unwrap();
}

/// The collector keeps every trace in which a span is an error: of sampled ones nothing else brings these back.
#[tokio::test]
async fn work_that_failed_is_an_error_in_its_trace() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let order = world.order("PLENTY", 1, "tok_slow_3000").await;
    let order_id = order.order_id().unwrap();
    // Between reserving and committing, somebody changes the books by hand.
    let cluster = &world.stack.cluster;
    let books = cluster.connect("inventory_owner", "inventorydb");
    let break_books = "UPDATE stock SET reserved = 0 WHERE sku = 'PLENTY'";
    books
        .await
        .unwrap()
        .execute(break_books, &[])
        .await
        .unwrap();
    // And two events of the order arrive in pieces.
    let (traceparent, _) = request_for_money(&traced, order_id).await;
    for (number, who, subject) in [
        (1, "orders", "orders.created"),
        (2, "payments", "payments.succeeded"),
    ] {
        let mut envelope = envelope(number, "1");
        envelope.insert(headers::TRACEPARENT, traceparent.as_str());
        let bus = world.bus(who).await;
        let sent = bus.publish(subject, envelope, b"\xff\xfe\x07".to_vec());
        sent.await.unwrap();
    }

    let expected = [
        "inventory: shopapi.inventory.v1.InventoryService/Commit",
        "orders: shopapi.inventory.v1.InventoryService/Commit",
        "payments: process orders.created",
        "orders: process payments.succeeded",
    ];
    until("what failed says so", async || {
        let failed = traced.trace(order_id).await.failed();
        expected.iter().all(|span| failed.contains(*span))
    })
    .await;
    until("the broken books are counted", async || {
        let broken = [("kind", "books_broken")];
        traced.receiver.sum("invariant_violations", &broken) > 0.0
    })
    .await;
    let failed = traced.trace(order_id).await.failed();
    for well in [
        "inventory: shopapi.inventory.v1.InventoryService/Reserve",
        "payments: charge payment",
    ] {
        assert!(!failed.contains(well), "{failed:?}");
    }
}

#[tokio::test]
async fn a_redelivered_request_for_a_captured_payment_says_so_in_its_trace() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let paid = world
        .order_with("PLENTY", 1, "tok_ok", &[("prefer", "wait=20")])
        .await;
    let order_id = paid.order_id().unwrap();
    world.reaches(order_id, &["PAID"]).await;
    assert!(
        !traced
            .trace(order_id)
            .await
            .has_event("already_paid_skipped")
    );

    deliver_again(&traced, order_id, 1).await;

    until("the redelivery is noted", async || {
        traced
            .trace(order_id)
            .await
            .has_event("already_paid_skipped")
    })
    .await;
    let trace = traced.trace(order_id).await;
    let noted = trace
        .spans
        .iter()
        .find(|span| {
            span.events
                .iter()
                .any(|event| event == "already_paid_skipped")
        })
        .unwrap();
    assert_eq!(noted.name, "process orders.created");
    let first = trace.spans.iter().any(|span| {
        noted
            .links
            .iter()
            .any(|(_, linked)| *linked == span.span_id)
    });
    assert!(first, "it links back to the first handling: {noted:?}");
    traced.world.audit_and_stop().await;
}

#[tokio::test]
async fn the_span_that_sets_an_order_aside_is_one_that_the_collector_keeps() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let order_id = asks_for_a_refund(world, "tok_refund_fails").await;
    let paid = world.order("PLENTY", 1, "tok_ok").await;
    let other = paid.order_id().unwrap();
    world.reaches(other, &["PAID"]).await;
    let id = order_id.to_string();
    let set_aside = || {
        let spans = traced.receiver.spans();
        let kept = |span: &ReceivedSpan| span.attribute("saga.state") == Some("STUCK");
        let spans = spans.into_iter().filter(kept);
        spans.collect::<Vec<_>>()
    };
    until("the span arrives", async || !set_aside().is_empty()).await;
    for span in set_aside() {
        assert_eq!(span.service, "orders");
        assert_eq!(span.name, "saga refunding");
        assert_eq!(span.attribute("order.id"), Some(id.as_str()), "no other");
    }
}

#[tokio::test]
async fn lines_about_an_order_whose_trace_is_not_sampled_lead_to_it() {
    let traced = Traced::start_with(
        1,
        &[
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
            ("SHOPAPI_LOG_FORMAT", "json"),
        ],
    )
    .await;
    let world = &traced.world;
    let paid = world.order("PLENTY", 1, "tok_ok").await;
    let order_id = paid.order_id().unwrap();
    world.reaches(order_id, &["PAID"]).await;

    deliver_again(&traced, order_id, 1).await;

    let trace = traced.trace(order_id).await;
    let said = "already_paid_skipped";
    until("the exported line leads to the trace", async || {
        let lines = traced.receiver.logs();
        lines.iter().any(|line| {
            line.service == "payments" && line.body == said && line.trace_id == trace.trace_id
        })
    })
    .await;
    let log = tokio::fs::read_to_string(world.service("payments").log());
    let log = log.await.unwrap();
    let line = log.lines().find(|line| line.contains(said)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["trace_id"], trace.trace_id.as_str(), "{line}");
    assert_eq!(line["order_id"], order_id, "{line}");
    assert!(traced.trace(order_id).await.spans.is_empty(), "no span");
    traced.world.audit_and_stop().await;
}

/// Acts by hand, on an order and on the outbox, are roots of traces of their own that lead to the order's.
#[tokio::test]
async fn an_operators_act_is_a_trace_of_its_own_that_links_to_the_orders() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let order_id = asks_for_a_refund(world, "tok_refund_fails").await;
    let stuck = "SELECT count(*) FROM orders WHERE saga_state = 'STUCK'";
    world.count_reaches("orders", stuck, 1).await;
    let order = order_id.to_string();
    for words in [
        &["refund", "insist", &order][..],
        &["saga", "resolve", &order, "--as", "refunded"],
        &["outbox", "replay", "--since", "10m"],
    ] {
        assert!(is(act(world, words).await, 0), "{words:?}");
    }

    let orders_trace = traced.trace(order_id).await.trace_id;
    for (service, name) in [
        ("payments", "operator refund.insist"),
        ("orders", "operator saga.resolve"),
        ("orders", "operator outbox.replay"),
        ("payments", "operator outbox.replay"),
    ] {
        let spans = || {
            let spans = traced.receiver.spans().into_iter();
            spans.filter(|span| span.service == service && span.name == name)
        };
        until(name, async || spans().next().is_some()).await;
        for span in spans() {
            assert_eq!(span.parent_id, "", "{service}: {name}");
            assert_ne!(span.trace_id, orders_trace, "{service}: {name}");
            let mut links = span.links.iter();
            assert!(
                links.any(|(trace, _)| *trace == orders_trace),
                "{service}: {name}: {:?}",
                span.links
            );
        }
    }
}

/// An order's payment as a replica of payments inserts it.
fn insert_payment(request: &OrderCreated) -> String {
    let OrderCreated {
        payment_id,
        order_id,
        amount_cents,
        currency,
        payment_method,
        ..
    } = request;
    format!(
        "INSERT INTO payments (
             payment_id, order_id, amount_cents, version, write_id, wake_at, attempt, attempts_left, look_ups, refund_attempt,
             refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method)
         VALUES ('{payment_id}', {order_id}, {amount_cents}, 1, gen_random_uuid(), now(), 0, 3, 0, 0, 0, false, false, 'REQUESTED', 'NONE',
             '{currency}', '{payment_method}')"
    )
}

#[tokio::test]
async fn an_insert_that_met_another_of_the_same_payment_says_so_in_its_trace() {
    let traced = Traced::start(1).await;
    let world = &traced.world;
    let payments = world.service("payments");
    payments.stop().await;
    let order = world.order("PLENTY", 1, "tok_ok").await;
    let order_id = order.order_id().unwrap();
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    world.count_reaches("orders", published, 1).await;
    let (_, payload) = request_for_money(&traced, order_id).await;
    let request = OrderCreated::decode(payload.as_slice()).unwrap();
    let cluster = &world.stack.cluster;
    let holder = cluster.connect("payments_owner", "paymentsdb").await;
    let holder = holder.unwrap();
    holder.batch_execute("BEGIN").await.unwrap();
    let inserted = holder.execute(&insert_payment(&request), &[]).await;
    assert_eq!(inserted.unwrap(), 1);
    let own = holder.query_one("SELECT pg_backend_pid()", &[]).await;
    let holder_pid: i32 = own.unwrap().get(0);

    payments.start().await;
    let looker = cluster.connect(SUPERUSER, "paymentsdb").await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE usename = 'payments' AND wait_event_type = 'Lock' AND $1 = ANY (pg_blocking_pids(pid))";
    until("the service's insert waits for the other", async || {
        let row = looker.query_one(waiting, &[&holder_pid]).await.unwrap();
        row.get::<_, i64>(0) > 0
    })
    .await;
    assert!(
        !traced
            .trace(order_id)
            .await
            .has_event("concurrent_duplicate")
    );
    holder.batch_execute("COMMIT").await.unwrap();

    until("the loser is noted", async || {
        traced
            .trace(order_id)
            .await
            .has_event("concurrent_duplicate")
    })
    .await;
    world.reaches(order_id, &["PAID"]).await;
    let rows = "SELECT count(*) FROM payments";
    assert_eq!(world.count("payments", rows).await, 1);
    traced.world.audit_and_stop().await;
}
