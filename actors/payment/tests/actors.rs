//! Desk, ledger and processor together, over books in memory and in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod support;

use std::time::Duration;

use actor_kit::batch::BatchError;
use payment::ledger::ApplyError;
use payment::{
    AttemptOutcome, AttemptState, Cents, DeskError, Found, Ignored, PaymentEvent, PaymentId,
    PaymentState, Policy, ProcessorLimits, RefundOutcome, RefundState, Refusal,
};
use support::{Books, Call, Replica, provider, request, until, until_row, world};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

fn declined() -> AttemptOutcome {
    AttemptOutcome::Declined {
        reason: "insufficient_funds".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_charged_after_its_attempt_was_recorded() {
    let (replica, books, mut calls) = world().await;

    let answered = replica.desk.request(request(1)).await.unwrap();
    assert_eq!(answered.payment.state, PaymentState::Requested);
    assert_eq!(answered.ignored, None);

    let (call, answer) = calls.charge().await;
    assert_eq!(call.payment_id, request(1).payment_id);
    assert_eq!(books.row(1).state, PaymentState::Unknown);
    assert_eq!(books.attempt(1, 1), Some(AttemptState::Open));

    answer.send(AttemptOutcome::Captured).unwrap();
    until(&books, 1, PaymentState::Captured).await;
    assert_eq!(books.attempt(1, 1), Some(AttemptState::Captured));
    assert_eq!(books.told(), [PaymentEvent::Succeeded]);
    calls.expect_none().await;
    assert_eq!(replica.depth().await.held, 0);
}

#[tokio::test(start_paused = true)]
async fn requests_at_the_same_time_make_one_payment_and_meet_in_batches() {
    let (replica, books, mut calls) = world().await;

    let answers = futures::future::join_all((0..20).map(|n| {
        let desk = replica.desk.clone();
        async move { desk.request(request(1 + n % 2)).await.unwrap() }
    }))
    .await;

    let fresh = answers.iter().filter(|answer| answer.ignored.is_none());
    assert_eq!(fresh.count(), 2);
    let repeats = answers
        .iter()
        .filter(|answer| answer.ignored == Some(Ignored::Duplicate));
    assert_eq!(repeats.count(), 18);
    let (first, _open) = calls.charge().await;
    let (second, _open_too) = calls.charge().await;
    assert_ne!(first.payment_id, second.payment_id);
    calls.expect_none().await;
    assert!(
        books.batches().iter().all(|entries| *entries <= 2),
        "one write per payment and batch"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_differs_or_takes_anothers_order_is_refused() {
    let (replica, _books, _calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();

    let mut other = request(1);
    other.amount = Cents(1);
    let refused = replica.desk.request(other).await;
    assert_eq!(refused, Err(DeskError::Refused(Refusal::ParametersDiffer)));

    let mut twin = request(1);
    twin.payment_id = PaymentId(Uuid::from_u128(99));
    let refused = replica.desk.request(twin).await;
    assert_eq!(refused, Err(DeskError::Refused(Refusal::OrderTaken)));

    let refused = replica.desk.refund(PaymentId(Uuid::from_u128(99))).await;
    assert_eq!(refused, Err(DeskError::Refused(Refusal::NoSuchPayment)));
}

#[tokio::test(start_paused = true)]
async fn a_decline_is_told_and_answered_to_every_repeat() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, answer) = calls.charge().await;
    answer.send(declined()).unwrap();
    until(&books, 1, PaymentState::Declined).await;

    let again = replica.desk.request(request(1)).await.unwrap();
    assert_eq!(again.payment.state, PaymentState::Declined);
    assert_eq!(again.ignored, Some(Ignored::Settled));
    assert_eq!(
        books.told(),
        [PaymentEvent::Failed {
            reason: "insufficient_funds".to_owned()
        }]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, _never_answered) = calls.charge().await;
    let asked = Instant::now();

    let answer = calls.look_up().await;
    let waited = asked.elapsed();
    let policy = Policy::default();
    assert!(waited >= policy.charge_deadline, "{waited:?}");
    assert!(
        waited < policy.charge_deadline + Duration::from_secs(1),
        "{waited:?}"
    );
    assert_eq!(books.attempt(1, 1), Some(AttemptState::Unknown));

    answer.send(Ok(Found::Charged)).unwrap();
    until(&books, 1, PaymentState::Captured).await;
}

#[tokio::test(start_paused = true)]
async fn transient_errors_are_retried_until_the_round_is_spent_and_again_when_asked() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let attempts = Policy::default().attempts_per_round;
    for _ in 0..attempts {
        let (_, answer) = calls.charge().await;
        answer.send(AttemptOutcome::NotCharged).unwrap();
    }
    let row = until_row(&books, 1, |row| {
        row.attempt == attempts && row.state == PaymentState::Requested
    })
    .await;
    assert_eq!(row.attempts_left, 0);
    sleep(Duration::from_secs(3_600)).await;
    calls.expect_none().await;

    let again = replica.desk.request(request(1)).await.unwrap();
    assert_eq!(again.ignored, None);
    let (_, answer) = calls.charge().await;
    answer.send(AttemptOutcome::Captured).unwrap();
    let row = until(&books, 1, PaymentState::Captured).await;
    assert_eq!(row.attempt, attempts + 1);
}

#[tokio::test(start_paused = true)]
async fn a_void_that_comes_first_leaves_a_tombstone() {
    let (replica, books, mut calls) = world().await;

    let voided = replica.desk.void(request(1)).await.unwrap();
    assert_eq!(voided.payment.state, PaymentState::Voided);
    let late = replica.desk.request(request(1)).await.unwrap();

    assert_eq!(late.payment.state, PaymentState::Voided);
    sleep(Duration::from_secs(3_600)).await;
    calls.expect_none().await;
    assert_eq!(books.told(), []);
}

#[tokio::test(start_paused = true)]
async fn a_void_while_a_call_is_open_waits_for_its_outcome_and_starts_no_other() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, answer) = calls.charge().await;

    let open = replica.desk.void(request(1)).await.unwrap();
    assert_eq!(open.payment.state, PaymentState::Unknown);
    assert!(open.payment.void_requested);

    answer.send(AttemptOutcome::NotCharged).unwrap();
    until(&books, 1, PaymentState::Voided).await;
    let answered = replica.desk.void(request(1)).await.unwrap();
    assert_eq!(answered.payment.state, PaymentState::Voided);
    // The next call is the watch over the voided payment, not a charge.
    calls.look_up().await.send(Ok(Found::NotCharged)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_capture_wins_against_a_void_that_waits() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, answer) = calls.charge().await;
    replica.desk.void(request(1)).await.unwrap();

    answer.send(AttemptOutcome::Captured).unwrap();

    until(&books, 1, PaymentState::Captured).await;
    assert_eq!(books.told(), [PaymentEvent::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_capture_learnt_after_the_void_is_given_back_here() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, _hung_up) = calls.charge().await;
    replica.desk.void(request(1)).await.unwrap();
    calls.look_up().await.send(Ok(Found::NotCharged)).unwrap();
    until(&books, 1, PaymentState::Voided).await;

    calls.look_up().await.send(Ok(Found::Charged)).unwrap();
    let (call, answer) = calls.refund().await;
    let row = books.row(1);
    assert!(row.late_capture);
    assert_eq!(row.refund, RefundState::Open);
    assert_eq!(call.refund_id, row.refund_id(1));
    assert_eq!(call.amount, Cents(1_999));
    answer.send(RefundOutcome::Refunded).unwrap();

    let row = until_row(&books, 1, |row| row.refund == RefundState::Refunded).await;
    assert_eq!(row.state, PaymentState::Voided);
    assert_eq!(
        books.told(),
        [PaymentEvent::Refunded {
            refund_id: row.refund_id(1),
            late_capture: true
        }]
    );
}

#[tokio::test(start_paused = true)]
async fn a_refund_takes_another_id_only_after_a_refusal() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    calls
        .charge()
        .await
        .1
        .send(AttemptOutcome::Captured)
        .unwrap();
    until(&books, 1, PaymentState::Captured).await;

    let asked = replica.desk.refund(request(1).payment_id).await.unwrap();
    assert_eq!(asked.payment.refund, RefundState::Requested);
    let (first, _no_answer) = calls.refund().await;
    let (repeated, answer) = calls.refund().await;
    assert_eq!(
        first.refund_id, repeated.refund_id,
        "an open outcome keeps its id"
    );
    let refused = RefundOutcome::Refused {
        reason: "try again".to_owned(),
    };
    answer.send(refused).unwrap();
    let (second, answer) = calls.refund().await;
    assert_ne!(first.refund_id, second.refund_id);
    answer.send(RefundOutcome::Refunded).unwrap();

    until_row(&books, 1, |row| row.refund == RefundState::Refunded).await;
    let known = replica.desk.refund(request(1).payment_id).await.unwrap();
    assert_eq!(known.ignored, Some(Ignored::RefundKnown));
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_is_always_refused_is_stuck() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    calls
        .charge()
        .await
        .1
        .send(AttemptOutcome::Captured)
        .unwrap();
    until(&books, 1, PaymentState::Captured).await;
    replica.desk.refund(request(1).payment_id).await.unwrap();
    for _ in 0..Policy::default().refund_attempts_max {
        let refused = RefundOutcome::Refused {
            reason: "closed_account".to_owned(),
        };
        calls.refund().await.1.send(refused).unwrap();
    }

    let row = until_row(&books, 1, |row| row.refund == RefundState::Stuck).await;
    assert_eq!(row.reason.as_deref(), Some("closed_account"));
    assert!(matches!(
        books.told().last(),
        Some(PaymentEvent::RefundFailed {
            late_capture: false,
            ..
        })
    ));
    sleep(Duration::from_secs(3_600)).await;
    calls.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn hanging_charges_are_bounded_and_keep_neither_look_ups_nor_refunds_waiting() {
    let books = Books::default();
    let (provider, mut calls) = provider();
    let limits = ProcessorLimits {
        charges_in_flight: 2,
        ..ProcessorLimits::default()
    };
    let replica = Replica::start(&books, &provider, limits).await;
    for order in 1..=4 {
        replica.desk.request(request(order)).await.unwrap();
    }
    let (_, _first) = calls.charge().await;
    let (_, second) = calls.charge().await;
    calls.expect_none().await;
    assert_eq!(replica.depth().await.running, 2);

    let mut open = books.row(1);
    open.request = request(9);
    open.state = PaymentState::Unknown;
    books.put(open, Duration::ZERO);
    calls.look_up().await.send(Ok(Found::Charged)).unwrap();
    until(&books, 9, PaymentState::Captured).await;
    replica.desk.refund(request(9).payment_id).await.unwrap();
    calls
        .refund()
        .await
        .1
        .send(RefundOutcome::Refunded)
        .unwrap();

    second.send(AttemptOutcome::Captured).unwrap();
    let (third, _) = calls.charge().await;
    assert!(
        [3, 4]
            .map(|order| request(order).payment_id)
            .contains(&third.payment_id)
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_behind_is_claimed_when_its_time_has_come() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, _hung_up) = calls.charge().await;
    replica.processor_actor.kill().await;
    let crashed = books.row(1);
    drop(replica);

    let after = Books::default();
    after.put(crashed, Duration::from_secs(5));
    let (provider, mut calls) = provider();
    let _replica = Replica::start(&after, &provider, ProcessorLimits::default()).await;
    calls.expect_none().await;
    let began = Instant::now();
    calls.look_up().await.send(Ok(Found::NotCharged)).unwrap();
    assert!(began.elapsed() >= Duration::from_secs(5));

    let (_, answer) = calls.charge().await;
    answer.send(AttemptOutcome::Captured).unwrap();
    let row = until(&after, 1, PaymentState::Captured).await;
    assert_eq!(row.attempt, 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_call_costs_its_neighbours_nothing() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    replica.desk.request(request(2)).await.unwrap();
    let (first, panics) = calls.charge().await;
    let (_, answer) = calls.charge().await;
    assert_eq!(first.payment_id, request(1).payment_id);

    drop(panics);
    answer.send(AttemptOutcome::Captured).unwrap();

    until(&books, 2, PaymentState::Captured).await;
    assert!(replica.processor_actor.is_running());
    calls.look_up().await.send(Ok(Found::Charged)).unwrap();
    until(&books, 1, PaymentState::Captured).await;
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_cannot_be_written_is_found_again() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, answer) = calls.charge().await;
    books.fail_next(BatchError::Disconnected("gone".to_owned()));
    answer.send(AttemptOutcome::Captured).unwrap();

    calls.look_up().await.send(Ok(Found::Charged)).unwrap();
    until(&books, 1, PaymentState::Captured).await;
    assert_eq!(books.told(), [PaymentEvent::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn no_call_is_made_without_its_record() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    // The request is written; the next batch is the attempt's record.
    books.fail_next(BatchError::Disconnected("gone".to_owned()));

    sleep(Duration::from_secs(1)).await;
    calls.expect_none().await;
    let (_, answer) = calls.charge().await;
    assert_eq!(books.attempt(1, 1), Some(AttemptState::Open));
    answer.send(AttemptOutcome::Captured).unwrap();
    until(&books, 1, PaymentState::Captured).await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_an_answer() {
    let (replica, books, _calls) = world().await;
    books.fail_next(BatchError::Disconnected("gone".to_owned()));
    let answer = replica.desk.request(request(1)).await;
    assert_eq!(answer, Err(DeskError::Apply(ApplyError::Unavailable)));
    books.fail_next(BatchError::Data("bad".to_owned()));
    let answer = replica.desk.request(request(1)).await;
    assert_eq!(answer, Err(DeskError::Apply(ApplyError::Poisoned)));
    assert!(replica.ledger_actor.is_running());
}

#[tokio::test(start_paused = true)]
async fn two_replicas_with_the_same_row_make_one_call() {
    let books = Books::default();
    let (provider, mut calls) = provider();
    let one = Replica::start(&books, &provider, ProcessorLimits::default()).await;
    let two = Replica::start(&books, &provider, ProcessorLimits::default()).await;
    let requested = one.desk.request(request(1)).await.unwrap();
    let hand_over = payment::ProcessorMsg::HandOver {
        payment: Box::new(requested.payment),
        follow_up: payment::FollowUp {
            work: payment::Work::Charge,
            after: Duration::ZERO,
        },
    };
    two.processor.try_send(hand_over).unwrap();

    let (_, answer) = calls.charge().await;
    sleep(Duration::from_millis(100)).await;
    calls.expect_none().await;
    answer.send(AttemptOutcome::Captured).unwrap();
    let row = until(&books, 1, PaymentState::Captured).await;
    assert_eq!(row.attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_calls_in_flight() {
    let (replica, books, mut calls) = world().await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, answer) = calls.charge().await;

    let stopping = replica.processor_actor.stop();
    let answering = async {
        sleep(Duration::from_secs(2)).await;
        answer.send(AttemptOutcome::Captured).unwrap();
    };
    tokio::join!(stopping, answering);

    assert_eq!(books.row(1).state, PaymentState::Captured);
}

#[tokio::test(start_paused = true)]
async fn the_watch_over_a_voided_payment_ends_after_a_day() {
    let books = Books::default();
    let (provider, mut calls) = provider();
    let limits = ProcessorLimits {
        poll_every: Duration::from_secs(60),
        ..ProcessorLimits::default()
    };
    let replica = Replica::start(&books, &provider, limits).await;
    replica.desk.request(request(1)).await.unwrap();
    let (_, answer) = calls.charge().await;
    replica.desk.void(request(1)).await.unwrap();
    answer.send(AttemptOutcome::NotCharged).unwrap();
    until(&books, 1, PaymentState::Voided).await;
    let voided = Instant::now();
    let mut watched = 0;
    while let Ok(call) = tokio::time::timeout(Duration::from_secs(100_000), calls.next()).await {
        let Call::LookUp(answer) = call else {
            panic!("only look-ups watch a voided payment");
        };
        answer.send(Ok(Found::NotCharged)).unwrap();
        watched += 1;
        assert!(voided.elapsed() < Duration::from_secs(100_000));
    }
    assert_eq!(watched, Policy::default().voided_look_ups.len());
}
