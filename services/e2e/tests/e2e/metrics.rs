//! Every promised metric is there, under its name, and counts exactly the orders.

use crate::traced::{Traced, until};

/// Orders of each outcome.
const EACH: usize = 3;

/// Instruments as they leave the services; behind the collector counters get `_total` and durations `_seconds`.
const PROMISED: [&str; 27] = [
    "http_requests",
    "orders_created",
    "inventory_reserve",
    "inventory_release",
    "payments",
    "http.server.request.duration",
    "rpc.client.call.duration",
    "rpc.server.call.duration",
    "db.client.operation.duration",
    "saga_active",
    "saga_oldest_age",
    "saga_stuck",
    "saga_coordinators",
    "order_completion",
    "outbox_unpublished",
    "outbox_lag",
    "batch_entries",
    "batch_duration",
    "actor_mailbox_depth",
    "actor_restarts",
    "dead_letters",
    "refunds_refused",
    "tls_certificate_expiry_timestamp",
    "telemetry_dropped",
    "invariant_violations",
    "bus_connected",
    "database_connected",
];

#[tokio::test]
async fn every_counter_rises_by_exactly_the_orders_of_its_outcome() {
    let traced = Traced::start(2).await;
    let world = &traced.world;
    let receiver = &traced.receiver;
    for _ in 0..EACH {
        let wait = [("prefer", "wait=20")];
        let paid = world.order_with("PLENTY", 1, "tok_ok", &wait).await;
        assert_eq!(paid.text("status"), "PAID", "{paid:?}");
        let declined = world.order_with("PLENTY", 1, "tok_declined", &wait).await;
        assert_eq!(declined.text("status"), "CANCELLED", "{declined:?}");
        let short = world.order("MACHINE-GOLD", 2, "tok_ok").await;
        assert_eq!(short.status, 409, "{short:?}");
    }
    let each = f64::from(u32::try_from(EACH).unwrap());
    let expected = [
        ("orders_created", "accepted", 2.0 * each),
        ("orders_created", "rejected", each),
        ("orders_created", "error", 0.0),
        ("inventory_reserve", "held", 2.0 * each),
        ("inventory_reserve", "refused", each),
        ("inventory_release", "released", each),
        ("inventory_release", "tombstone", 0.0),
        ("payments", "captured", each),
        ("payments", "declined", each),
        ("payments", "voided", 0.0),
        ("payments", "refunded", 0.0),
        ("payments", "error", 0.0),
    ];
    let counts = || {
        expected.map(|(name, result, _)| (name, result, receiver.sum(name, &[("result", result)])))
    };
    until("the counters have risen", async || {
        counts()
            .iter()
            .zip(expected)
            .all(|(seen, wanted)| seen.2 >= wanted.2)
    })
    .await;
    assert_eq!(counts(), expected, "exactly, over all replicas");
    let route = ("route", "/api/v1/orders");
    until("the requests are counted", async || {
        receiver.sum(
            "http_requests",
            &[route, ("method", "POST"), ("status", "201")],
        ) >= 2.0 * each
            && receiver.sum(
                "http_requests",
                &[route, ("method", "POST"), ("status", "409")],
            ) >= each
    })
    .await;
    until("every promised name is there", async || {
        let points = receiver.points();
        PROMISED
            .iter()
            .all(|name| points.iter().any(|point| point.name == *name))
    })
    .await;
    for point in receiver.points() {
        assert!(
            !point.name.ends_with("total"),
            "{} would become _total_total",
            point.name
        );
    }
    traced.world.audit_and_stop().await;
}
