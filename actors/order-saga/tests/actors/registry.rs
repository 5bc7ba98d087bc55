//! Many orders: loading, retiring, crashing, and full mailboxes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Stage, delivery, moved, succeeded};
use actor_kit::AskError;
use actor_kit::probe::settle;
use order_saga::saga::{Ignored, StuckReason};
use order_saga::{
    Awaited, CustomerId, InventoryRequest, OrderId, OrderMoved, OrderStatus, Outcome, RegistryMsg,
    SagaEvent, SagaLimits, SagaState, SagaStep, TailMsg, Until, Version,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

#[tokio::test(start_paused = true)]
async fn the_misses_of_a_fetched_batch_load_in_one_read() {
    let mut stage = Stage::new().await;
    for id in 1..=3 {
        stage.store.insert(id, SagaStep::AwaitingPayment);
    }

    let answers = stage.deliver_all((1..=4).map(|id| (id, succeeded(id))));
    for _ in 0..3 {
        stage.commit().await;
    }

    let mut outcomes = vec![];
    for answer in answers {
        outcomes.push(answer.await.unwrap());
    }
    assert_eq!(
        outcomes.pop(),
        Some(Outcome::NotFound),
        "order 4 does not exist"
    );
    for outcome in outcomes {
        assert_eq!(moved(outcome).saga.status(), OrderStatus::Paid);
    }
    assert_eq!(stage.store.loads.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_database_cannot_be_read_senders_are_told_to_come_again() {
    let stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    stage.store.down.store(true, Ordering::Relaxed);

    let outcome = stage.deliver(1, succeeded(1)).await.unwrap();
    let awaited = stage
        .wait_for(1, Until::Settled, Duration::from_secs(1))
        .await
        .unwrap();

    assert_eq!(outcome, Outcome::Unavailable);
    assert_eq!(awaited, Awaited::Unavailable);
    assert_eq!(stage.view().await.loading, 0);
}

/// "There is no such order" would be believed: the customer's cancel is lost, the event a dead letter.
#[tokio::test(start_paused = true)]
async fn an_order_whose_row_makes_no_sense_is_not_denied_and_goes_on_when_it_is_repaired() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    stage.store.damaged.lock().unwrap().insert(OrderId(1));

    let answers = stage.deliver_all([1, 2].map(|id| (id, succeeded(id))));
    let awaited = stage.wait_for(1, Until::Settled, Duration::from_secs(1));

    let mut outcomes = vec![];
    for answer in answers {
        outcomes.push(answer.await.unwrap());
    }
    assert_eq!(outcomes, [Outcome::Unavailable, Outcome::NotFound]);
    assert_eq!(awaited.await.unwrap(), Awaited::Unavailable);
    assert_eq!(stage.view().await.loading, 0);
    stage.store.damaged.lock().unwrap().clear();
    let outcome = stage.deliver(1, succeeded(1));
    stage.commit().await;
    assert_eq!(
        moved(outcome.await.unwrap()).saga.status(),
        OrderStatus::Paid
    );
}

#[tokio::test(start_paused = true)]
async fn another_customers_order_does_not_exist() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    let stranger = Some(CustomerId(Uuid::from_u128(3)));

    let (cancel, outcome) = delivery(1, stranger, SagaEvent::CancelRequested);
    stage
        .registry
        .try_send(RegistryMsg::Deliver(vec![cancel]))
        .unwrap();
    assert_eq!(outcome.await.unwrap(), Outcome::NotFound);
    let (own, outcome) = delivery(
        1,
        Some(crate::support::customer()),
        SagaEvent::CancelRequested,
    );
    stage
        .registry
        .try_send(RegistryMsg::Deliver(vec![own]))
        .unwrap();
    stage.commit().await;
    moved(outcome.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn events_that_meet_a_retiring_coordinator_are_never_lost() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::Completed);

    // Each is decided at once (a duplicate), so that the coordinator asks to retire between any two of them.
    for pause in 0..200 {
        let outcome = stage.deliver(1, succeeded(1));
        for _ in 0..pause % 40 {
            tokio::task::yield_now().await;
        }
        let second = stage.deliver(1, succeeded(1));
        for answer in [outcome, second] {
            assert!(matches!(
                answer.await.unwrap(),
                Outcome::Ignored(Ignored::Duplicate, _)
            ));
        }
    }

    assert_eq!(stage.view().await.active, 0);
    stage.journal.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn coordinators_whose_registry_is_full_stay_and_retire_later() {
    let mut stage = Stage::with(SagaLimits::default(), 1).await;
    let mut outcomes = vec![];
    for id in 1..=3 {
        stage.store.insert(id, SagaStep::AwaitingPayment);
        outcomes.push(stage.deliver(id, SagaEvent::CancelRequested));
        settle().await;
    }

    // A hanging load keeps the only place of the registry's mailbox while the three come to rest.
    let gate = Arc::new(Semaphore::new(0));
    *stage.store.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let blocked = stage.deliver(4, succeeded(4));
    settle().await;
    assert_eq!(stage.registry.depth(), 1, "the load keeps its place");
    for outcome in outcomes {
        stage.commit().await;
        moved(outcome.await.unwrap());
        drop(stage.payments.next().await);
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    gate.add_permits(1);

    assert_eq!(blocked.await.unwrap(), Outcome::NotFound);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_with_a_full_mailbox_refuses_and_its_neighbours_do_not_notice() {
    let limits = SagaLimits {
        coordinator_mailbox: 2,
        ..SagaLimits::default()
    };
    let mut stage = Stage::with(limits, 64).await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    stage.store.insert(2, SagaStep::AwaitingPayment);

    let mut answers = stage.deliver_all((0..3).map(|_| (1, succeeded(1))));
    let (_, unanswered) = stage.next_write().await;
    let neighbour = stage.deliver(2, succeeded(2));
    stage.commit().await;

    assert_eq!(
        answers.remove(2).await.unwrap(),
        Outcome::Unavailable,
        "the third finds no place"
    );
    moved(neighbour.await.unwrap());
    drop(unanswered);
}

#[tokio::test(start_paused = true)]
async fn a_crashed_coordinator_has_a_successor_that_asks_again() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::Committing);

    stage.panics.store(1, Ordering::Relaxed);
    let outcome = stage.deliver(1, SagaEvent::RefundRequested);

    assert_eq!(outcome.await, Err(AskError::Gone));
    match stage.inventory.next().await {
        InventoryRequest::Commit { order_id, .. } => assert_eq!(order_id, OrderId(1)),
        other => panic!("{other:?}"),
    }
    let again = stage.deliver(1, SagaEvent::RefundRequested);
    stage.commit().await;
    moved(again.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_saga_whose_handling_panics_again_and_again_is_set_aside_and_its_neighbours_go_on() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    stage.store.insert(2, SagaStep::AwaitingPayment);

    for _ in 0..SagaLimits::default().panics_max {
        stage.panics.store(1, Ordering::Relaxed);
        assert_eq!(stage.deliver(1, succeeded(1)).await, Err(AskError::Gone));
        settle().await;
    }
    let step = stage.commit_step().await;
    assert_eq!(
        step.saga.step,
        SagaStep::Stuck {
            at: Box::new(SagaStep::AwaitingPayment),
            reason: StuckReason::Poison
        }
    );
    let neighbour = stage.deliver(2, succeeded(2));
    stage.commit().await;

    moved(neighbour.await.unwrap());
    assert_eq!(stage.store.get(1).saga.saga_state(), SagaState::Stuck);
}

#[tokio::test(start_paused = true)]
async fn a_due_saga_is_asked_for_again_with_a_later_deadline() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::Committing);
    let due = vec![stage.store.get(1)];

    let active = stage
        .registry
        .ask(Duration::from_secs(1), |reply| RegistryMsg::Resume {
            due,
            reply,
        })
        .await
        .unwrap();
    let step = stage.commit_step().await;
    stage.committed().await;

    assert_eq!(active, 1);
    assert_eq!(step.saga.missed_deadlines, 1);
    assert_eq!(
        stage.store.loads.load(Ordering::Relaxed),
        0,
        "the claim has read it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiter_is_told_when_another_replica_moves_its_order() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let awaited = stage.wait_for(1, Until::After(Version(5)), Duration::from_secs(30));
    let watch = match stage.tail.next().await {
        TailMsg::Watch(watch) => watch,
        other => panic!("{other:?}"),
    };
    assert_eq!(watch.version, Version(5));
    stage.store.move_elsewhere(1, &succeeded(1));
    let news = OrderMoved {
        version: Version(6),
        ..watch
    };
    stage
        .registry
        .try_send(RegistryMsg::Moved(vec![news]))
        .unwrap();

    match awaited.await.unwrap() {
        Awaited::Order(snapshot) => assert_eq!(snapshot.saga.status(), OrderStatus::Paid),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_waiters_news_survive_a_database_that_cannot_be_read_for_a_while() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    let awaited = stage.wait_for(1, Until::Settled, Duration::from_secs(30));
    let watch = match stage.tail.next().await {
        TailMsg::Watch(watch) => watch,
        other => panic!("{other:?}"),
    };
    stage.store.move_elsewhere(1, &succeeded(1));
    let news = || {
        RegistryMsg::Moved(vec![OrderMoved {
            version: Version(6),
            ..watch
        }])
    };

    stage.store.down.store(true, Ordering::Relaxed);
    stage.registry.try_send(news()).unwrap();
    assert!(
        matches!(stage.tail.next().await, TailMsg::Watch(_)),
        "it asks the tail to report again"
    );
    stage.store.down.store(false, Ordering::Relaxed);
    stage.registry.try_send(news()).unwrap();

    assert!(matches!(awaited.await.unwrap(), Awaited::Order(_)));
}

#[tokio::test(start_paused = true)]
async fn a_waiter_whose_time_is_up_gets_the_order_as_it_is_and_the_coordinator_leaves() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let awaited = stage
        .wait_for(1, Until::Settled, Duration::from_secs(3))
        .await
        .unwrap();

    match awaited {
        Awaited::Order(snapshot) => {
            assert_eq!(snapshot.saga.status(), OrderStatus::AwaitingPayment);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.view().await.active, 0);
    assert!(matches!(stage.tail.next().await, TailMsg::Watch(_)));
    assert!(matches!(stage.tail.next().await, TailMsg::Unwatch(_)));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_wait_on_one_order() {
    let limits = SagaLimits {
        waiters_per_order: 2,
        ..SagaLimits::default()
    };
    let stage = Stage::with(limits, 64).await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let wait = || stage.wait_for(1, Until::Settled, Duration::from_secs(30));
    let (_first, second, third) = (wait(), wait(), wait());
    assert_eq!(third.await.unwrap(), Awaited::Unavailable);
    drop(second);
    settle().await;
    let fourth = wait();
    settle().await;

    let waits_on = tokio::time::timeout(Duration::from_secs(1), fourth).await;
    assert!(waits_on.is_err(), "it took the place of one who left");
}
