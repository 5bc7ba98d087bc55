//! What the journal writes and answers.

use order_saga::JournalEntry;
use order_saga::saga::{CommitAnswer, ReserveAnswer};
use order_saga::{EventId, Refusal, RefusalReason, SagaEvent};

use crate::support::*;

#[tokio::test]
async fn accepts_and_transitions_share_a_batch_and_write_all_their_rows() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept_one, one) = accepting(1, key("k", 1));
    let (accept_two, two) = accepting(2, None);
    let verdicts = journal.commit(&[accept_one, accept_two]).await;
    assert!(verdicts.iter().all(is_accepted), "{verdicts:?}");
    assert_eq!(bench.rows().await, [2, 2, 1, 0]);

    let (accept_three, _) = accepting(3, None);
    let (hold_one, one) = moving(&one, &held());
    let refused = SagaEvent::ReserveAnswered(ReserveAnswer::Refused(Refusal {
        reason: RefusalReason::OutOfStock,
        shortages: vec![],
    }));
    let (refuse_two, _) = moving(&two, &refused);
    let verdicts = journal.commit(&[hold_one, accept_three, refuse_two]).await;
    assert!(is_written(&verdicts[0]), "{verdicts:?}");
    assert!(is_accepted(&verdicts[1]), "{verdicts:?}");
    assert!(is_written(&verdicts[2]), "{verdicts:?}");
    assert_eq!(bench.rows().await, [3, 5, 1, 2]);
    let mut handed_over = journal.handed_over();
    handed_over.sort();
    assert_eq!(handed_over, ["orders.created", "orders.rejected"]);

    let states = "SELECT string_agg(status || ' ' || saga_state || ' ' || version, ', ' ORDER BY order_id) FROM orders";
    assert_eq!(
        bench.text(states).await,
        "AWAITING_PAYMENT RUNNING 2, REJECTED COMPENSATED 2, PENDING RUNNING 1"
    );
    let (pay, one) = moving(&one, &captured(&one));
    assert!(is_written(&journal.commit(&[pay]).await[0]));
    let (complete, _) = moving(&one, &SagaEvent::CommitAnswered(CommitAnswer::Committed));
    assert!(is_written(&journal.commit(&[complete]).await[0]));
    let one = "SELECT status || ' ' || saga_state || ' ' || total_cents || ' ' || currency || ' ' || (wake_at IS NULL)
               FROM orders WHERE order_id = 1";
    assert_eq!(bench.text(one).await, "PAID COMPLETED 500 EUR true");
    let timeline = "SELECT string_agg(version || ' ' || step, ', ' ORDER BY version) FROM order_timeline WHERE order_id = 1";
    assert_eq!(
        bench.text(timeline).await,
        "1 reserving, 2 awaiting_payment, 3 committing, 4 completed"
    );
}

#[tokio::test]
async fn a_transition_on_an_old_version_writes_nothing() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept, saga) = accepting(1, None);
    journal.commit(&[accept]).await;
    let (hold, _) = moving(&saga, &held());
    let (cancel, _) = moving(&saga, &SagaEvent::CancelRequested);
    assert!(is_written(&journal.commit(&[hold]).await[0]));
    let before = bench.rows().await;

    let verdicts = journal.commit(&[cancel]).await;

    assert!(is_stale(&verdicts[0]), "{verdicts:?}");
    assert_eq!(bench.rows().await, before);
    assert_eq!(
        bench.text("SELECT status FROM orders").await,
        "AWAITING_PAYMENT"
    );
}

#[tokio::test]
async fn a_transition_of_an_order_that_is_not_there_is_stale() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (_, saga) = accepting(1, None);
    let (hold, _) = moving(&saga, &held());
    assert!(is_stale(&journal.commit(&[hold]).await[0]));
    assert_eq!(bench.rows().await, [0, 0, 0, 0]);
}

#[tokio::test]
async fn a_row_locked_elsewhere_is_busy_and_its_neighbours_are_written() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept_one, one) = accepting(1, None);
    let (accept_two, two) = accepting(2, None);
    journal.commit(&[accept_one, accept_two]).await;
    let (hold_one, _) = moving(&one, &held());
    let (hold_two, _) = moving(&two, &held());
    let lock = "BEGIN; SELECT 1 FROM orders WHERE order_id = 1 FOR UPDATE";
    bench.owner.batch_execute(lock).await.unwrap();

    let verdicts = journal.commit(&[hold_one.clone(), hold_two]).await;

    assert_eq!(verdicts[0], actor_kit::batch::Verdict::Busy);
    assert!(is_written(&verdicts[1]), "{verdicts:?}");
    assert_eq!(journal.handed_over(), ["orders.created"]);
    bench.owner.batch_execute("COMMIT").await.unwrap();
    assert!(is_written(&journal.commit(&[hold_one]).await[0]));
}

#[tokio::test]
async fn a_repeated_batch_finds_its_own_writes_by_their_write_ids() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept_one, one) = accepting(1, None);
    journal.commit(&[accept_one]).await;
    let (hold_one, _) = moving(&one, &held());
    let (accept_two, _) = accepting(2, key("k", 1));
    let (accept_three, _) = accepting(3, None);
    let batch = [hold_one, accept_two, accept_three];
    let first = journal.commit(&batch).await;
    let rows = bench.rows().await;

    let again = bench.journal().try_commit(&batch, AGAIN).await.unwrap();

    assert_eq!(again, first, "the same answers, with the same times");
    assert_eq!(bench.rows().await, rows);
}

#[tokio::test]
async fn somebody_elses_write_of_the_same_version_is_not_ours() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept, saga) = accepting(1, None);
    journal.commit(&[accept]).await;
    let (theirs, _) = moving(&saga, &held());
    let (ours, _) = moving(&saga, &held());
    journal.commit(&[theirs]).await;
    let verdicts = journal.try_commit(&[ours], AGAIN).await.unwrap();
    assert!(is_stale(&verdicts[0]), "{verdicts:?}");
}

#[tokio::test]
async fn a_key_that_is_used_twice_in_one_batch_makes_one_order() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (first, _) = accepting(1, key("k", 1));
    let (same, _) = accepting(2, key("k", 1));
    let (other, _) = accepting(3, key("k", 9));

    let verdicts = journal.commit(&[first, same, other]).await;

    let winner = verdicts.iter().position(is_accepted).unwrap();
    assert_eq!(verdicts.iter().filter(|one| is_accepted(one)).count(), 1);
    let order_id = i64::try_from(winner).unwrap() + 1;
    for (index, verdict) in verdicts.iter().enumerate() {
        let same_fingerprint = (index == 2) == (winner == 2);
        if index != winner {
            assert_eq!(*verdict, key_taken(order_id, same_fingerprint));
        }
    }
    assert_eq!(bench.rows().await, [1, 1, 1, 0], "the losers wrote nothing");
}

#[tokio::test]
async fn keys_of_different_customers_do_not_meet() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (first, _) = accepting(1, key("k", 1));
    let (mut second, _) = accepting(2, key("k", 1));
    if let JournalEntry::Accept(accept) = &mut second {
        std::sync::Arc::make_mut(&mut accept.saga.order).customer_id = customer(2);
    }
    let verdicts = journal.commit(&[first, second]).await;
    assert!(verdicts.iter().all(is_accepted), "{verdicts:?}");
}

#[tokio::test]
async fn marks_are_stored_and_a_row_held_elsewhere_is_left_out() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let mut events = vec![];
    let mut batch = vec![];
    for id in 1..=2 {
        let (accept, saga) = accepting(id, None);
        journal.commit(&[accept]).await;
        let (hold, _) = moving(&saga, &held());
        let JournalEntry::Transition(transition) = &hold else {
            panic!("a hold is a transition");
        };
        events.push(transition.outbox.as_ref().unwrap().event_id);
        batch.push(hold);
    }
    journal.commit(&batch).await;
    let lock = format!(
        "BEGIN; SELECT 1 FROM outbox WHERE event_id = '{}' FOR UPDATE",
        events[1]
    );
    bench.owner.batch_execute(&lock).await.unwrap();
    let unknown = EventId::random();
    let (accept, _) = accepting(3, None);
    let marks = JournalEntry::PublishedMarks(vec![events[0], events[1], unknown]);

    let verdicts = journal.commit(&[marks, accept]).await;

    assert_eq!(
        verdicts[0],
        actor_kit::batch::Verdict::Done(order_saga::Journaled::Marked)
    );
    assert!(is_accepted(&verdicts[1]), "{verdicts:?}");
    bench.owner.batch_execute("COMMIT").await.unwrap();
    let marked =
        "SELECT string_agg(event_id::text, ',') FROM outbox WHERE published_at IS NOT NULL";
    assert_eq!(bench.text(marked).await, events[0].to_string());
}

#[tokio::test]
async fn an_order_that_goes_well_moves_its_deadline_once() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept, saga) = accepting(1, None);
    journal.commit(&[accept]).await;
    let wake_at = "SELECT coalesce(wake_at::text, 'never') FROM orders";
    let first = bench.text(wake_at).await;
    assert_ne!(first, "never");
    let (hold, saga) = moving(&saga, &held());
    journal.commit(&[hold]).await;
    assert_eq!(bench.text(wake_at).await, first);
    let (pay, saga) = moving(&saga, &captured(&saga));
    journal.commit(&[pay]).await;
    assert_eq!(bench.text(wake_at).await, first);
    let (complete, _) = moving(&saga, &SagaEvent::CommitAnswered(CommitAnswer::Committed));
    journal.commit(&[complete]).await;
    assert_eq!(bench.text(wake_at).await, "never");
}
