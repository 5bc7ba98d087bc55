//! Neighbours, databases and replicas that go away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use devstack::get_status;
use shopapi_proto::inventory::v1::ReservationState;
use shopapi_proto::orders::v1::{CancelReason, CreateOrderRequest, OrderStatus};
use tonic::Code;

use crate::service::{Shop, request};
use crate::support::*;

#[tokio::test]
async fn an_order_whose_replica_dies_is_brought_to_its_end_by_another() {
    let shop = Shop::open().await;
    let books = &shop.neighbours.books;
    books.inventory_is_down.store(true, Ordering::SeqCst);
    let first = shop.replica().await;
    let order = first.created(request()).await;
    assert_eq!(
        order.status(),
        OrderStatus::Pending,
        "accepted all the same"
    );
    first.service.stop().await;
    books.inventory_is_down.store(false, Ordering::SeqCst);

    let second = shop.replica().await;

    second
        .reaches(order.order_id, OrderStatus::Paid, "COMPLETED")
        .await;
    assert_eq!(books.reservations(ReservationState::Committed), 1);
    second.service.stop().await;
}

#[tokio::test]
async fn stock_that_stays_away_cancels_the_order_and_leaves_a_tombstone() {
    let shop = Shop::open().await;
    let books = &shop.neighbours.books;
    books.inventory_is_down.store(true, Ordering::SeqCst);
    let replica = shop
        .replica_with(|config| config.saga.reserve_deadlines_max = 2)
        .await;
    let order = replica.created(request()).await;
    replica
        .reaches(order.order_id, OrderStatus::CancelPending, "COMPENSATING")
        .await;
    books.inventory_is_down.store(false, Ordering::SeqCst);
    replica
        .reaches(order.order_id, OrderStatus::Cancelled, "COMPENSATED")
        .await;
    let order = replica.get(order.order_id).await;
    assert_eq!(order.cancel_reason(), CancelReason::InventoryUnavailable);
    assert_eq!(books.reservations(ReservationState::Released), 1);
    replica.service.stop().await;
}

#[tokio::test]
async fn a_waiting_caller_learns_what_another_replica_did() {
    let shop = Shop::open().await;
    let books = &shop.neighbours.books;
    books.charges_hang.store(true, Ordering::SeqCst);
    // This one never looks at deadlines; that one does.
    let here = shop
        .replica_with(|config| config.saga.sweep_every = Duration::from_secs(3_600))
        .await;
    let waiting = {
        let mut client = here.client.clone();
        tokio::spawn(async move {
            let patient = CreateOrderRequest {
                wait_ms: 25_000,
                ..request()
            };
            client.create_order(patient).await
        })
    };
    eventually("the stock is held", async || {
        books.reservations(ReservationState::Held) == 1
    })
    .await;
    books.charges_hang.store(false, Ordering::SeqCst);
    let there = shop.replica().await;

    let order = waiting.await.unwrap().unwrap().into_inner().order.unwrap();

    assert_eq!(order.status(), OrderStatus::Paid);
    here.service.stop().await;
    there.service.stop().await;
}

#[tokio::test]
async fn a_database_that_restarts_under_load_costs_answers_and_no_order() {
    let mut shop = Shop::open().await;
    let replica = shop.replica().await;
    let health = replica.service.health_addr().unwrap();
    let loading = {
        let client = replica.client.clone();
        tokio::spawn(async move {
            let mut accepted = vec![];
            for n in 0..400 {
                let keyed = CreateOrderRequest {
                    idempotency_key: format!("k{n}"),
                    request_fingerprint: vec![1; 32],
                    ..request()
                };
                match client.clone().create_order(keyed).await {
                    Ok(answer) => accepted.push(answer.into_inner().order.unwrap().order_id),
                    Err(refused) => assert_eq!(refused.code(), Code::Unavailable, "{refused:?}"),
                }
            }
            accepted
        })
    };
    shop.bench.stack.cluster.kill().await.unwrap();
    eventually("not ready without a database", async || {
        get_status(health, "/readyz").await == Some(503)
    })
    .await;
    assert_eq!(get_status(health, "/livez").await, Some(200));
    shop.bench.stack.cluster.start().await.unwrap();
    shop.bench.owner = shop.bench.connect().await;
    eventually("ready again", async || {
        get_status(health, "/readyz").await == Some(200)
    })
    .await;
    let accepted = loading.await.unwrap();
    eventually("orders are taken again", async || {
        replica.create(request()).await.is_ok()
    })
    .await;
    let open = "SELECT count(*) FROM orders WHERE saga_state <> 'COMPLETED'";
    eventually("every order that was written has ended", async || {
        shop.bench.number(open).await == 0
    })
    .await;
    for order_id in accepted {
        assert_eq!(replica.get(order_id).await.status(), OrderStatus::Paid);
    }
    replica.service.stop().await;
}
