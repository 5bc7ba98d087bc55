//! The two who look at the database for others.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{MemoryStore, Port, succeeded};
use actor_kit::probe::{Alone, Probe, probe, start};
use order_saga::{
    OrderId, OrderMoved, OrderTail, RegistryMsg, SagaLimits, SagaStep, SagaSweeper, Snapshot,
    TailMsg, Version,
};

fn due_store(orders: i64) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::default());
    for id in 1..=orders {
        store.insert(id, SagaStep::AwaitingPayment);
        store.due.lock().unwrap().push(OrderId(id));
    }
    store
}

async fn sweeper(store: &Arc<MemoryStore>, limits: SagaLimits) -> (Probe<RegistryMsg>, Alone) {
    let (registry, probe) = probe(1);
    let sweeper = SagaSweeper::new(
        Arc::new(Port(Arc::clone(store))),
        registry,
        Arc::new(limits),
        Arc::new(|| 0.5),
    );
    let (_, alone) = start("saga-sweeper", 1, sweeper).await.unwrap();
    (probe, alone)
}

/// The next claim that reaches the registry, which then has `active` orders.
async fn handed_over(registry: &mut Probe<RegistryMsg>, active: usize) -> Vec<Snapshot> {
    match registry.next().await {
        RegistryMsg::Resume { due, reply } => {
            reply.send(active);
            due
        }
        other => panic!("{other:?}"),
    }
}

fn batches_of(sweep_batch: usize) -> SagaLimits {
    SagaLimits {
        sweep_batch,
        sweep_in_hand_max: 10,
        ..SagaLimits::default()
    }
}

#[tokio::test(start_paused = true)]
async fn due_sagas_are_claimed_at_start_and_every_second() {
    let store = due_store(1);
    let (mut registry, _alone) = sweeper(&store, batches_of(4)).await;

    assert_eq!(handed_over(&mut registry, 1).await.len(), 1);
    let started = tokio::time::Instant::now();
    store.due.lock().unwrap().push(OrderId(1));
    assert_eq!(handed_over(&mut registry, 1).await.len(), 1);

    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn full_claims_follow_each_other_while_there_is_room() {
    let store = due_store(8);
    let (mut registry, _alone) = sweeper(&store, batches_of(4)).await;
    let started = tokio::time::Instant::now();

    handed_over(&mut registry, 4).await;
    handed_over(&mut registry, 8).await;

    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_registry_with_much_in_hand_is_given_time() {
    let store = due_store(8);
    let (mut registry, _alone) = sweeper(&store, batches_of(4)).await;
    let started = tokio::time::Instant::now();

    handed_over(&mut registry, 10).await;
    handed_over(&mut registry, 10).await;

    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_down_is_asked_again_every_second() {
    let store = due_store(1);
    store.down.store(true, Ordering::Relaxed);
    let (mut registry, alone) = sweeper(&store, batches_of(4)).await;

    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(
        store.claims.load(Ordering::Relaxed),
        4,
        "at 0, 1, 2 and 3 s"
    );
    assert!(alone.is_running());
    store.down.store(false, Ordering::Relaxed);

    assert_eq!(handed_over(&mut registry, 1).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_the_registry_does_not_take_is_left_to_its_lease() {
    let store = due_store(2);
    let (mut registry, alone) = sweeper(&store, batches_of(1)).await;

    // The first claim takes the only place and is never answered.
    let unanswered = registry.next().await;
    let second = handed_over(&mut registry, 1).await;

    assert_eq!(second.len(), 1);
    assert!(alone.is_running());
    drop(unanswered);
}

async fn tail(
    store: &Arc<MemoryStore>,
) -> (actor_kit::Mailbox<TailMsg>, Probe<RegistryMsg>, Alone) {
    let (registry, probe) = probe(8);
    let tail = OrderTail::new(
        Arc::new(Port(Arc::clone(store))),
        registry,
        Arc::new(SagaLimits::default()),
    );
    let (mailbox, alone) = start("order-tail", 64, tail).await.unwrap();
    (mailbox, probe, alone)
}

fn at(version: i64) -> OrderMoved {
    OrderMoved {
        order_id: OrderId(1),
        version: Version(version),
    }
}

async fn reported(registry: &mut Probe<RegistryMsg>) -> Vec<OrderMoved> {
    match registry.next().await {
        RegistryMsg::Moved(moved) => moved,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_watched_order_that_moves_is_reported_once_within_half_a_second() {
    let store = due_store(1);
    let (tail, mut registry, _alone) = tail(&store).await;

    tail.try_send(TailMsg::Watch(at(5))).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    registry.expect_none().await;
    store.move_elsewhere(1, &succeeded(1));
    let moved_at = tokio::time::Instant::now();

    assert_eq!(reported(&mut registry).await, [at(6)]);
    assert!(moved_at.elapsed() <= Duration::from_millis(500));
    tokio::time::sleep(Duration::from_secs(2)).await;
    registry.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_passed_on_at_once_when_somebody_waits_for_it() {
    let store = due_store(1);
    let (tail, mut registry, _alone) = tail(&store).await;

    tail.try_send(TailMsg::Hint(at(6))).unwrap();
    registry.expect_none().await;
    tail.try_send(TailMsg::Watch(at(6))).unwrap();
    tail.try_send(TailMsg::Hint(at(6))).unwrap();
    registry.expect_none().await;
    let hinted_at = tokio::time::Instant::now();
    tail.try_send(TailMsg::Hint(at(7))).unwrap();

    assert_eq!(reported(&mut registry).await, [at(7)]);
    assert_eq!(hinted_at.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn nobody_hears_of_an_order_that_is_no_longer_watched() {
    let store = due_store(1);
    let (tail, mut registry, _alone) = tail(&store).await;

    tail.try_send(TailMsg::Watch(at(5))).unwrap();
    tail.try_send(TailMsg::Unwatch(OrderId(1))).unwrap();
    store.move_elsewhere(1, &succeeded(1));
    tokio::time::sleep(Duration::from_secs(2)).await;

    registry.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn a_tail_that_cannot_read_tries_again() {
    let store = due_store(1);
    let (tail, mut registry, _alone) = tail(&store).await;
    store.down.store(true, Ordering::Relaxed);

    tail.try_send(TailMsg::Watch(at(4))).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    registry.expect_none().await;
    store.down.store(false, Ordering::Relaxed);

    assert_eq!(reported(&mut registry).await, [at(5)]);
}
