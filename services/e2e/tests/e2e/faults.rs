//! Processes that are killed and servers that are restarted: every accepted order still ends, and the books are right.

use std::time::{Duration, Instant};

use devstack::Signal;
use futures::future::join_all;
use shopapi_proto::subjects;
use shopctl::client::Api;

use crate::bus::envelope;
use crate::world::{World, place};

#[tokio::test]
async fn an_order_ends_by_itself_after_its_service_was_killed_before_the_payment() {
    let world = World::start().await;
    for service in ["orders", "payments", "inventory"] {
        let accepted = world.order("PLENTY", 1, "tok_slow_1500").await;
        assert_eq!(accepted.status, 201, "{accepted:?}");
        assert_eq!(accepted.text("status"), "AWAITING_PAYMENT");
        let before = world.service(service).state().starts;
        world.service(service).signal(Signal::Kill).await.unwrap();
        world.service(service).started(before + 1).await;
        world.reaches(accepted.order_id().unwrap(), &["PAID"]).await;
    }
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_declined_order_is_given_back_although_orders_was_killed() {
    let world = World::start().await;
    let before = world.available("PLENTY").await;
    let accepted = world.order("PLENTY", 5, "tok_declined").await;
    world.service("orders").signal(Signal::Kill).await.unwrap();
    let id = accepted.order_id().unwrap();
    world.reaches(id, &["CANCELLED"]).await;
    assert_eq!(world.available("PLENTY").await, before);
    world.audit_and_stop().await;
}

/// Customers who place orders for a while; the ids of those that were accepted.
async fn load(api: Api, lasting: Duration) -> Vec<i64> {
    let began = Instant::now();
    let customer = async || {
        let mut accepted = Vec::new();
        let mut number = 0_u32;
        while began.elapsed() < lasting {
            number += 1;
            let method = if number.is_multiple_of(5) {
                "tok_declined"
            } else {
                "tok_ok"
            };
            let answer = place(&api, "PLENTY", 1, method, &[]).await;
            match answer.status {
                201 | 202 => accepted.push(answer.order_id().unwrap()),
                // A server is away: a clean refusal with advice.
                503 => tokio::task::yield_now().await,
                other => panic!("{other}: {answer:?}"),
            }
        }
        accepted
    };
    join_all((0..4).map(|_| customer())).await.concat()
}

/// How long the load runs; the server goes away a second after its beginning.
const LOAD: Duration = Duration::from_secs(4);

#[tokio::test]
async fn services_outlive_a_restart_of_postgresql_under_load() {
    let mut world = World::start().await;
    let pids = world.pids();
    let customers = tokio::spawn(load(world.api.clone(), LOAD));
    a_second_later().await;
    world.stack.cluster.restart().await.unwrap();
    all_end(&world, customers.await.unwrap()).await;
    assert_eq!(world.pids(), pids, "no process exited");
    world.audit_and_stop().await;
}

#[tokio::test]
async fn services_outlive_a_restart_of_nats_under_load() {
    let mut world = World::start().await;
    let pids = world.pids();
    let customers = tokio::spawn(load(world.api.clone(), LOAD));
    a_second_later().await;
    world.stack.nats.restart().await.unwrap();
    all_end(&world, customers.await.unwrap()).await;
    assert_eq!(world.pids(), pids, "no process exited");
    world.audit_and_stop().await;
}

async fn a_second_later() {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.tick().await;
    tick.tick().await;
}

async fn all_end(world: &World, accepted: Vec<i64>) {
    assert!(accepted.len() > 20, "there was a load: {}", accepted.len());
    for id in accepted {
        world.reaches(id, &["PAID", "CANCELLED"]).await;
    }
}

#[tokio::test]
async fn a_poison_event_becomes_a_dead_letter_and_its_neighbours_go_on() {
    let world = World::start().await;
    let (orders, payments) = (world.bus("orders").await, world.bus("payments").await);
    // A letter is kept once per event id, so each has its own.
    for (sender, subject, headers) in [
        (&orders, subjects::ORDERS_CREATED, envelope(1, "1")),
        (&orders, subjects::ORDERS_CREATED, envelope(2, "999")),
        (
            &orders,
            subjects::ORDERS_CREATED,
            async_nats::HeaderMap::new(),
        ),
        (&payments, subjects::PAYMENTS_SUCCEEDED, envelope(3, "1")),
    ] {
        let garbage = b"\xff\xff not a protobuf".to_vec();
        sender.publish(subject, headers, garbage).await.unwrap();
    }
    let neighbour = world.order("PLENTY", 1, "tok_ok").await;
    world
        .reaches(neighbour.order_id().unwrap(), &["PAID"])
        .await;
    let letters = "SELECT count(*) FROM dead_letters";
    world.count_reaches("payments", letters, 3).await;
    world.count_reaches("orders", letters, 1).await;
    world.audit_and_stop().await;
}
