//! The broker loses everything, or never comes back: the databases are the truth, and every accepted order ends.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use shopapi_proto::subjects;

use crate::bus::Caller;
use crate::load::{Customers, all_end, lasting, no_twins, some_declined};
use crate::world::World;

/// How long streams and consumers may be missing after the broker is back.
const BUS_BACK: Duration = Duration::from_secs(15);
/// How often the broker loses everything.
const WIPES: u32 = 10;
/// By then 99 of 100 orders have ended although their events were wiped: the saga's first deadline, one repetition, and slow machines.
const CONVERGED: Duration = Duration::from_secs(20);
/// An order that is paid within this long was paid over the bus: the saga asks payments itself only after five seconds.
const OVER_THE_BUS: &str = "wait=4";

async fn jetstream_of(world: &World) -> jetstream::Context {
    world.bus("shopctl").await.jetstream
}

/// Both streams and their durable consumers are there.
async fn has_everything(jetstream: &jetstream::Context) -> bool {
    for (stream, consumer) in [
        (subjects::STREAM_ORDERS, "payments"),
        (subjects::STREAM_PAYMENTS, "orders"),
    ] {
        let found = jetstream
            .get_consumer_from_stream::<jetstream::consumer::pull::Config, _, _>(consumer, stream)
            .await;
        if found.is_err() {
            return false;
        }
    }
    true
}

async fn bus_is_back(world: &World) {
    let began = Instant::now();
    let jetstream = jetstream_of(world).await;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    while !has_everything(&jetstream).await {
        assert!(
            began.elapsed() < BUS_BACK,
            "streams or consumers are missing"
        );
        tick.tick().await;
    }
}

/// New orders are paid over the bus. Those that were on their way when it broke may be ahead of them.
async fn pays_over_the_bus(world: &World) -> i64 {
    let answer = world
        .order_with("PLENTY", 1, "tok_ok", &[("prefer", OVER_THE_BUS)])
        .await;
    assert_eq!(
        answer.text("status"),
        "PAID",
        "not over the bus: {answer:?}"
    );
    answer.order_id().unwrap()
}

#[tokio::test]
async fn no_order_is_lost_when_the_broker_loses_everything_again_and_again() {
    let mut world = World::start().await;
    let customers = Customers::come(&world.api, "wiped", 4, "PLENTY", some_declined);
    for _ in 0..WIPES {
        customers.accept(30).await;
        world.stack.nats.wipe().await.unwrap();
        bus_is_back(&world).await;
    }
    customers.accept(30).await;
    let met = customers.leave().await;
    all_end(&world, &met.accepted).await;
    let slowest = world
        .count(
            "orders",
            "SELECT (1000 * percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM updated_at - created_at)))::bigint \
             FROM orders",
        )
        .await;
    println!(
        "{WIPES} wipes, {} orders accepted, none lost; 99 of 100 had ended after {slowest} ms",
        met.accepted.len()
    );
    assert!(
        Duration::from_millis(slowest.unsigned_abs()) < CONVERGED,
        "{slowest} ms"
    );
    let over_the_bus = pays_over_the_bus(&world).await;
    no_twins(&world, &[met.accepted, vec![over_the_bus]].concat()).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn every_order_ends_although_the_broker_is_gone_for_good() {
    let mut world = World::start().await;
    let pids = world.pids();
    let customers = Customers::come(&world.api, "gone", 4, "PLENTY", some_declined);
    // Some are on their way when it goes, and the customers do not notice that it went.
    customers.accept(30).await;
    world.stack.nats.kill().await.unwrap();
    customers.accept(60).await;
    let met = customers.leave().await;

    all_end(&world, &met.accepted).await;
    no_twins(&world, &met.accepted).await;
    for (wrong, query) in [
        (
            "not paid although the card is good",
            "SELECT count(*) FROM orders WHERE payment_method = 'tok_ok' AND status <> 'PAID'",
        ),
        (
            "not cancelled for its declined card",
            "SELECT count(*) FROM orders WHERE payment_method = 'tok_declined' \
             AND (status, cancel_reason) IS DISTINCT FROM ('CANCELLED', 'payment_declined')",
        ),
    ] {
        assert_eq!(world.count("orders", query).await, 0, "{wrong}");
    }
    let unheard =
        "SELECT count(*) FROM outbox WHERE subject = 'orders.created' AND published_at IS NULL";
    assert!(
        world.count("orders", unheard).await >= 60,
        "they were told to a broker"
    );
    assert_eq!(world.pids(), pids, "a lost broker is a state, not a crash");
    world.audit_and_stop().await;
}

#[tokio::test]
async fn streams_and_consumers_that_are_deleted_under_way_are_made_again() {
    let world = World::start().await;
    let customers = Customers::come(&world.api, "deleted", 2, "PLENTY", some_declined);
    customers.accept(20).await;
    world.stack.nats.admit_administrator().unwrap();
    let administrator = Caller::as_administrator(&world.stack.nats.url(), world.stack.pki()).await;
    let jetstream = administrator.jetstream;
    for consumer_only in [true, false] {
        for (stream, consumer) in [
            (subjects::STREAM_ORDERS, "payments"),
            (subjects::STREAM_PAYMENTS, "orders"),
        ] {
            if consumer_only {
                let stream = jetstream.get_stream(stream).await.unwrap();
                stream.delete_consumer(consumer).await.unwrap();
            } else {
                jetstream.delete_stream(stream).await.unwrap();
            }
            bus_is_back(&world).await;
            customers.accept(10).await;
        }
    }
    let met = customers.leave().await;
    all_end(&world, &met.accepted).await;
    let over_the_bus = pays_over_the_bus(&world).await;
    // A little later too: nobody fights over what was made again.
    lasting(Duration::from_secs(1)).await;
    let again = pays_over_the_bus(&world).await;
    no_twins(&world, &[met.accepted, vec![over_the_bus, again]].concat()).await;
    world.audit_and_stop().await;
}
