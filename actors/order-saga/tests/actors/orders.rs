//! One order through its coordinator: what is asked, written and answered, and in which order.

use std::time::Duration;

use crate::support::{Stage, created_snapshot, moved, succeeded};
use actor_kit::TraceContext;
use actor_kit::batch::WriteError;
use order_saga::saga::{Ignored, ReserveAnswer, VoidCause};
use order_saga::{
    CallError, CancelReason, Created, IdempotencyKey, InventoryRequest, JournalEntry, Journaled,
    OrderId, OrderStatus, Outcome, PaymentsRequest, Refusal, RefusalReason, RegistryMsg, SagaEvent,
    SagaLimits, SagaState, SagaStep, Version,
};

const NO_WAIT: Duration = Duration::ZERO;

#[tokio::test(start_paused = true)]
async fn an_order_is_accepted_held_paid_and_completed() {
    let mut stage = Stage::new().await;

    let created = stage.create(1, NO_WAIT);
    assert!(matches!(stage.commit().await, JournalEntry::Accept(_)));
    stage.held().await;
    let step = stage.commit_step().await;
    assert_eq!(step.outbox.unwrap().event.name(), "created");
    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::AwaitingPayment);
    assert_eq!(snapshot.saga.quote.unwrap().total.0, 1190);
    assert_eq!(
        stage.view().await.active,
        0,
        "it retires while payments works"
    );

    let outcome = stage.deliver(1, succeeded(1));
    let step = stage.commit_step().await;
    assert_eq!(step.outbox.unwrap().event.name(), "paid");
    assert_eq!(
        moved(outcome.await.unwrap()).saga.status(),
        OrderStatus::Paid
    );
    stage.committed().await;
    let (entry, reply) = stage.next_write().await;
    assert!(reply.is_none(), "the end is lazy");
    stage.store.write(&entry);
    assert_eq!(stage.store.get(1).saga.saga_state(), SagaState::Completed);
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_or_answered_before_the_commit() {
    let mut stage = Stage::new().await;

    let mut created = Box::pin(stage.create(1, NO_WAIT));
    let (entry, reply) = stage.next_write().await;
    stage.inventory.expect_none().await;
    reply.unwrap().send(Ok(stage.store.write(&entry)));
    stage.held().await;
    let (entry, reply) = stage.next_write().await;
    let early = tokio::time::timeout(Duration::from_millis(1), &mut created).await;
    assert!(early.is_err(), "answered before the commit");
    reply.unwrap().send(Ok(stage.store.write(&entry)));

    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::AwaitingPayment);
}

#[tokio::test(start_paused = true)]
async fn a_refused_order_is_rejected_with_its_shortages() {
    let mut stage = Stage::new().await;
    let refusal = Refusal {
        reason: RefusalReason::OutOfStock,
        shortages: vec![],
    };

    let created = stage.create(1, NO_WAIT);
    stage.commit().await;
    let reply = stage.next_reserve().await;
    reply.send(Ok(ReserveAnswer::Refused(refusal.clone())));
    let step = stage.commit_step().await;

    assert_eq!(step.outbox.unwrap().event.name(), "rejected");
    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.step, SagaStep::Rejected { refusal });
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn when_the_stock_does_not_answer_the_caller_learns_that_the_order_is_pending() {
    let mut stage = Stage::new().await;
    let started = tokio::time::Instant::now();

    let created = stage.create(1, NO_WAIT);
    stage.commit().await;
    let unanswered = stage.next_reserve().await;

    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::Pending);
    assert_eq!(started.elapsed(), SagaLimits::default().inventory_call);
    assert_eq!(
        stage.view().await.active,
        0,
        "the deadline in the database goes on"
    );
    drop(unanswered);
    stage.journal.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn when_inventory_is_down_the_caller_learns_at_once() {
    let mut stage = Stage::new().await;
    let started = tokio::time::Instant::now();

    let created = stage.create(1, NO_WAIT);
    stage.commit().await;
    let reply = stage.next_reserve().await;
    reply.send(Err(CallError::Unavailable));

    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::Pending);
    assert!(started.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_void_that_is_refused_for_good_sets_the_order_aside_and_one_without_an_answer_does_not() {
    let mut stage = Stage::new().await;
    let cause = VoidCause::PaymentTimeout;
    for (id, answer) in [(1, CallError::Unavailable), (2, CallError::Refused)] {
        stage.store.insert(id, SagaStep::Voiding { cause });
        let mut hanging = stage.store.get(id);
        hanging.saga.missed_deadlines = SagaLimits::default().alert_deadlines;
        let (reply, _) = actor_kit::Reply::channel();
        let due = vec![hanging];
        stage
            .registry
            .try_send(RegistryMsg::Resume { due, reply })
            .unwrap();
        stage.commit().await;
        match stage.payments.next().await {
            PaymentsRequest::Void { reply, .. } => reply.send(Err(answer)),
            other => panic!("not Void: {other:?}"),
        }
        if answer == CallError::Refused {
            let stuck = stage.commit_step().await.saga;
            assert_eq!(stuck.saga_state(), SagaState::Stuck);
        } else {
            stage.journal.expect_none().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_waits_gets_the_end_of_the_order() {
    let mut stage = Stage::new().await;

    let created = stage.create(1, Duration::from_secs(5));
    stage.commit().await;
    stage.held().await;
    stage.commit().await;
    let outcome = stage.deliver(1, succeeded(1));
    stage.commit().await;

    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::Paid);
    moved(outcome.await.unwrap());
    assert_eq!(
        stage.store.loads.load(std::sync::atomic::Ordering::Relaxed),
        0,
        "the coordinator stayed for its caller"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_waited_long_enough_gets_how_far_it_came() {
    let mut stage = Stage::new().await;
    let started = tokio::time::Instant::now();

    let created = stage.create(1, Duration::from_secs(5));
    stage.commit().await;
    stage.held().await;
    stage.commit().await;

    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::AwaitingPayment);
    assert_eq!(started.elapsed(), Duration::from_secs(5));
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_waits_on_the_first_order() {
    let mut stage = Stage::new().await;
    let key = |print: u8| {
        Some(IdempotencyKey {
            key: "k".to_owned(),
            fingerprint: vec![print],
        })
    };

    let first = stage.create_with_key(1, NO_WAIT, key(1));
    stage.commit().await;
    let repeated = stage.create_with_key(2, NO_WAIT, key(1));
    stage.commit().await;
    let other = stage.create_with_key(3, NO_WAIT, key(2));
    stage.commit().await;
    stage.held().await;
    stage.commit().await;

    let first = created_snapshot(first.await.unwrap());
    assert_eq!(
        repeated.await.unwrap(),
        Created::Order {
            snapshot: first,
            replayed: true
        }
    );
    assert_eq!(
        other.await.unwrap(),
        Created::KeyReused {
            order_id: OrderId(1)
        }
    );
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_could_not_be_written_was_not_accepted() {
    let mut stage = Stage::new().await;

    let down = stage.create(1, NO_WAIT);
    stage.fail_write(WriteError::Unavailable).await;
    let refused = stage.create(2, NO_WAIT);
    stage.fail_write(WriteError::Poisoned).await;

    assert_eq!(down.await.unwrap(), Created::Unavailable);
    assert_eq!(refused.await.unwrap(), Created::Poisoned);
    stage.inventory.expect_none().await;
    let outcome = stage.deliver(1, SagaEvent::CancelRequested).await.unwrap();
    assert_eq!(outcome, Outcome::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_voids_releases_and_ends() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let outcome = stage.deliver(1, SagaEvent::CancelRequested);
    stage.commit().await;
    let snapshot = moved(outcome.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::CancelPending);
    stage.voided().await;
    stage.commit().await;
    stage.released().await;
    let step = stage.commit_step().await;

    assert_eq!(step.outbox.unwrap().event.name(), "cancelled");
    assert_eq!(
        stage.store.get(1).saga.cancel_reason(),
        Some(CancelReason::UserRequested)
    );
    assert_eq!(stage.view().await.active, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_of_a_pending_order_releases_without_a_void_and_a_late_hold_is_ignored() {
    let mut stage = Stage::new().await;

    let created = stage.create(1, NO_WAIT);
    stage.commit().await;
    let reserve = stage.next_reserve().await;
    let outcome = stage.deliver(1, SagaEvent::CancelRequested);
    stage.commit().await;
    moved(outcome.await.unwrap());
    reserve.send(Ok(ReserveAnswer::Held(crate::support::quote())));
    stage.released().await;
    stage.commit().await;

    let snapshot = created_snapshot(created.await.unwrap());
    assert_eq!(snapshot.saga.status(), OrderStatus::CancelPending);
    assert_eq!(stage.store.get(1).saga.status(), OrderStatus::Cancelled);
    stage.payments.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn a_stale_write_reloads_and_steps_the_same_event_again() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let outcome = stage.deliver(1, SagaEvent::CancelRequested);
    let (entry, reply) = stage.next_write().await;
    stage.store.move_elsewhere(1, &succeeded(1));
    assert_eq!(stage.store.write(&entry), Journaled::Stale);
    reply.unwrap().send(Ok(Journaled::Stale));

    match outcome.await.unwrap() {
        Outcome::Ignored(Ignored::AlreadyPaid, snapshot) => {
            assert_eq!(snapshot.saga.status(), OrderStatus::Paid);
        }
        other => panic!("{other:?}"),
    }
    stage.payments.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_contradicts_an_old_cache_is_stepped_on_the_stored_saga() {
    let mut stage = Stage::new().await;

    let created = stage.create(1, NO_WAIT);
    stage.commit().await;
    let _unanswered = stage.next_reserve().await;
    stage.store.move_elsewhere(
        1,
        &SagaEvent::ReserveAnswered(ReserveAnswer::Held(crate::support::quote())),
    );
    let outcome = stage.deliver(1, succeeded(1));
    stage.commit().await;

    assert_eq!(
        moved(outcome.await.unwrap()).saga.status(),
        OrderStatus::Paid
    );
    assert_ne!(
        created_snapshot(created.await.unwrap()).saga.status(),
        OrderStatus::Pending
    );
}

#[tokio::test(start_paused = true)]
async fn a_customer_is_not_turned_away_on_an_old_cache() {
    let mut stage = Stage::new().await;

    let _created = stage.create(1, NO_WAIT);
    stage.commit().await;
    let _unanswered = stage.next_reserve().await;
    let held = SagaEvent::ReserveAnswered(ReserveAnswer::Held(crate::support::quote()));
    for event in [held, succeeded(1)] {
        stage.store.move_elsewhere(1, &event);
    }
    let outcome = stage.deliver(1, SagaEvent::RefundRequested);
    stage.commit().await;

    assert_eq!(
        moved(outcome.await.unwrap()).saga.status(),
        OrderStatus::RefundPending
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_contradicts_the_stored_saga_is_illegal() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::Reserving);

    let outcome = stage.deliver(1, succeeded(1)).await.unwrap();

    assert!(matches!(outcome, Outcome::Illegal(_)), "{outcome:?}");
    stage.journal.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_ignored_without_a_write() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let answers = stage.deliver_all([(1, succeeded(1)), (1, succeeded(1))]);
    stage.commit().await;

    let [first, second] = answers.try_into().unwrap();
    moved(first.await.unwrap());
    assert!(matches!(
        second.await.unwrap(),
        Outcome::Ignored(Ignored::Duplicate, _)
    ));
    stage.journal.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn after_an_unknown_write_the_saga_is_read_again() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let outcome = stage.deliver(1, succeeded(1));
    let (entry, reply) = stage.next_write().await;
    stage.store.write(&entry);
    reply.unwrap().send(Err(WriteError::Unavailable));
    assert_eq!(outcome.await.unwrap(), Outcome::Unavailable);
    let again = stage.deliver(1, succeeded(1)).await.unwrap();

    assert!(matches!(again, Outcome::Ignored(Ignored::Duplicate, _)));
}

#[tokio::test(start_paused = true)]
async fn a_sender_learns_that_the_database_refuses_its_event() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let outcome = stage.deliver(1, succeeded(1));
    stage.fail_write(WriteError::Poisoned).await;

    assert_eq!(outcome.await.unwrap(), Outcome::Poisoned);
    stage.journal.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn a_saga_whose_own_step_the_database_refuses_is_set_aside() {
    let mut stage = Stage::new().await;

    let created = stage.create(1, NO_WAIT);
    stage.commit().await;
    stage.held().await;
    stage.fail_write(WriteError::Poisoned).await;
    let step = stage.commit_step().await;

    assert_eq!(step.saga.saga_state(), SagaState::Stuck);
    created.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn questions_carry_the_orders_ids() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);
    let ids = crate::support::order(1).ids;

    let outcome = stage.deliver(1, SagaEvent::CancelRequested);
    stage.commit().await;
    match stage.payments.next().await {
        PaymentsRequest::Void { parameters, .. } => {
            assert_eq!(parameters.order.ids, ids);
            assert_eq!(*parameters.quote, crate::support::quote());
        }
        other => panic!("{other:?}"),
    }
    moved(outcome.await.unwrap());

    stage.store.insert(2, SagaStep::Committing);
    let outcome = stage.deliver(2, SagaEvent::RefundRequested);
    stage.commit().await;
    match stage.inventory.next().await {
        InventoryRequest::Commit { reservation_id, .. } => {
            assert_eq!(reservation_id, crate::support::order(2).ids.reservation_id);
        }
        other => panic!("{other:?}"),
    }
    moved(outcome.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn every_commit_is_hinted_to_other_replicas() {
    let mut stage = Stage::new().await;

    let _created = stage.create(1, NO_WAIT);
    stage.commit().await;
    stage.held().await;
    stage.commit().await;

    assert_eq!(stage.hints.next().await.version.0, 1);
    assert_eq!(stage.hints.next().await.version.0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_carries_the_trace_of_its_cause_and_without_one_the_orders_own() {
    let caused = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ordered = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut stage = Stage::new().await;
    for id in 1..=2 {
        stage.store.insert(id, SagaStep::AwaitingPayment);
        let mut snapshot = stage.store.get(id);
        let mut order = (*snapshot.saga.order).clone();
        order.trace = TraceContext::from_traceparent(ordered).unwrap();
        snapshot.saga.order = std::sync::Arc::new(order);
        stage.store.put(snapshot);
    }

    let (mut traced, _outcome) = crate::support::delivery(1, None, succeeded(1));
    traced.trace = TraceContext::from_traceparent(caused).unwrap();
    stage
        .registry
        .try_send(RegistryMsg::Deliver(vec![traced]))
        .unwrap();
    let written = stage.commit_step().await;
    assert_eq!(written.trace.traceparent().as_deref(), Some(caused));

    let _outcome = stage.deliver(2, succeeded(2));
    let written = stage.commit_step().await;
    assert_eq!(written.trace.traceparent().as_deref(), Some(ordered));
}

fn retried() -> SagaEvent {
    SagaEvent::OperatorRetried
}

#[tokio::test(start_paused = true)]
async fn an_act_on_another_version_changes_nothing() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    for other in [Version(4), Version(6)] {
        let outcome = stage.operate(1, other, retried()).await.unwrap();
        assert!(
            matches!(&outcome, Outcome::Superseded(now) if now.saga.version == Version(5)),
            "{outcome:?}"
        );
    }

    stage.journal.expect_none().await;
    let outcome = stage.operate(1, Version(5), retried());
    let step = stage.commit_step().await;
    assert_eq!(step.timeline.cause, "An operator asked again.");
    assert_eq!(moved(outcome.await.unwrap()).saga.version, Version(6));
}

#[tokio::test(start_paused = true)]
async fn an_act_is_not_carried_over_to_what_another_replica_wrote_meanwhile() {
    let mut stage = Stage::new().await;
    stage.store.insert(1, SagaStep::AwaitingPayment);

    let outcome = stage.operate(1, Version(5), retried());
    let (_, reply) = stage.next_write().await;
    let mut other = stage.store.get(1);
    other.saga.version = Version(6);
    stage.store.put(other);
    reply.unwrap().send(Ok(Journaled::Stale));

    let outcome = outcome.await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Superseded(now) if now.saga.version == Version(6)),
        "{outcome:?}"
    );
    stage.journal.expect_none().await;
}
