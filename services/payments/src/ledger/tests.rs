//! The ledger's statement against a real PostgreSQL: what one batch does when another has been there.

use std::time::Duration;

use actor_kit::batch::{Attempt, BatchStore, Verdict};
use actor_kit::{Mailbox, TraceContext};
use devstack::TestStack;
use payment::ledger::{LedgerAnswer, LedgerEntry, Recorded};
use payment::{
    AttemptOutcome, Cents, Change, Decision, Event, OrderId, Payment, PaymentId, PaymentMethod,
    PaymentRequest, PaymentState, Policy, decide,
};
use shopapi_postgres::PgConfig;
use uuid::Uuid;

use super::LedgerStore;

fn request(order: i64) -> PaymentRequest {
    PaymentRequest {
        payment_id: PaymentId(Uuid::from_u128(u128::try_from(order).unwrap())),
        order_id: OrderId(order),
        amount: Cents(1_999),
        currency: "EUR".to_owned(),
        payment_method: PaymentMethod::new("tok_ok".to_owned()),
        traceparent: None,
    }
}

fn decided(payment: Option<&Payment>, event: &Event) -> Change {
    match decide(payment, event, &Policy::default(), 0.5) {
        Decision::Write(change) => *change,
        other => panic!("not written: {other:?}"),
    }
}

fn entry(change: Change) -> LedgerEntry {
    LedgerEntry::Change(Box::new(Recorded {
        change,
        write_id: Uuid::new_v4(),
        event_id: Uuid::now_v7(),
        trace: TraceContext::default(),
    }))
}

fn store(stack: &TestStack) -> LedgerStore {
    let config = PgConfig::parse(&stack.url("payments"), "test").unwrap();
    LedgerStore::new(&config, Mailbox::new("drainer", 16))
}

async fn commit(store: &mut LedgerStore, batch: &[LedgerEntry]) -> Vec<Verdict<LedgerAnswer>> {
    store.commit(batch, Attempt::default()).await.unwrap()
}

const WRITTEN: Verdict<LedgerAnswer> = Verdict::Done(LedgerAnswer::Written);

/// The version of the row that an entry met.
fn stale(verdict: &Verdict<LedgerAnswer>) -> i64 {
    match verdict {
        Verdict::Done(LedgerAnswer::Stale(Some(row))) => row.version,
        other => panic!("not stale: {other:?}"),
    }
}

async fn count(client: &tokio_postgres::Client, table: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {table}");
    client.query_one(&query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_batch_that_is_repeated_recognises_its_own_writes() {
    let stack = TestStack::migrated().await.unwrap();
    let (mut one, mut two) = (store(&stack), store(&stack));
    let books = stack
        .cluster
        .connect("payments", "paymentsdb")
        .await
        .unwrap();
    let opened: Vec<Change> = (1..=3)
        .map(|n| decided(None, &Event::Request(request(n))))
        .collect();
    let inserts: Vec<LedgerEntry> = opened.iter().cloned().map(entry).collect();
    let captures: Vec<LedgerEntry> = opened
        .iter()
        .map(|change| {
            let started = decided(Some(&change.payment), &Event::AttemptStarted);
            let ended = Event::AttemptEnded {
                attempt: 1,
                outcome: AttemptOutcome::Captured,
            };
            (started.payment, ended)
        })
        .map(|(payment, ended)| {
            let mut captured = decided(Some(&payment), &ended);
            // As if the attempt had been written, straight from the first version.
            captured.base = payment::Base::Version(1);
            captured.payment.version = 2;
            entry(captured)
        })
        .collect();

    // The answer of each commit is lost; another connection, another store, the identical batch.
    for batch in [&inserts, &captures] {
        assert_eq!(commit(&mut one, batch).await, [WRITTEN, WRITTEN, WRITTEN]);
        assert_eq!(commit(&mut two, batch).await, [WRITTEN, WRITTEN, WRITTEN]);
    }

    assert_eq!(
        count(&books, "payments WHERE version = 2 AND state = 'CAPTURED'").await,
        3
    );
    assert_eq!(count(&books, "outbox").await, 3);
    assert_eq!(count(&books, "payment_attempts").await, 3);
    let retried = commit(&mut two, &inserts).await;
    assert_eq!(retried.iter().map(stale).collect::<Vec<_>>(), [2, 2, 2]);
}

#[tokio::test]
async fn of_two_writers_one_wins_and_the_other_gets_the_row() {
    let stack = TestStack::migrated().await.unwrap();
    let (mut one, mut two) = (store(&stack), store(&stack));
    let books = stack
        .cluster
        .connect("payments", "paymentsdb")
        .await
        .unwrap();
    let opened = decided(None, &Event::Request(request(1)));
    let insert = || vec![entry(opened.clone())];
    let (first, second) = (insert(), insert());
    let (first, second) = tokio::join!(commit(&mut one, &first), commit(&mut two, &second));
    let won = [&first[0], &second[0]]
        .into_iter()
        .filter(|verdict| **verdict == WRITTEN);
    assert_eq!(won.count(), 1);

    let start = || {
        vec![entry(decided(
            Some(&opened.payment),
            &Event::AttemptStarted,
        ))]
    };
    assert_eq!(commit(&mut one, &start()).await, [WRITTEN]);
    let late = commit(&mut two, &start()).await;
    match &late[0] {
        Verdict::Done(LedgerAnswer::Stale(Some(row))) => {
            assert_eq!(row.state, PaymentState::Unknown);
            assert_eq!(row.attempt, 1);
        }
        other => panic!("the loser learns the row: {other:?}"),
    }
    assert_eq!(
        count(&books, "payment_attempts").await,
        1,
        "a lost entry writes nothing"
    );

    let mut twin = request(1);
    twin.payment_id = PaymentId(Uuid::from_u128(99));
    let twin = vec![entry(decided(None, &Event::Request(twin)))];
    assert_eq!(
        commit(&mut two, &twin).await,
        [Verdict::Done(LedgerAnswer::OrderTaken)]
    );
    let ghost = vec![entry(Change {
        base: payment::Base::Version(1),
        ..decided(None, &Event::Request(request(7)))
    })];
    assert_eq!(
        commit(&mut two, &ghost).await,
        [Verdict::Done(LedgerAnswer::Stale(None))]
    );
}

#[tokio::test]
async fn a_row_that_is_locked_elsewhere_comes_back_and_holds_nobody_up() {
    let stack = TestStack::migrated().await.unwrap();
    let mut ledger = store(&stack);
    let opened: Vec<Change> = (1..=2)
        .map(|n| decided(None, &Event::Request(request(n))))
        .collect();
    let inserts: Vec<LedgerEntry> = opened.iter().cloned().map(entry).collect();
    commit(&mut ledger, &inserts).await;
    // A frozen replica: it holds the row of the first payment.
    let frozen = stack
        .cluster
        .connect("payments", "paymentsdb")
        .await
        .unwrap();
    frozen
        .batch_execute("BEGIN; SELECT 1 FROM payments WHERE order_id = 1 FOR NO KEY UPDATE")
        .await
        .unwrap();

    let starts: Vec<LedgerEntry> = opened
        .iter()
        .map(|change| entry(decided(Some(&change.payment), &Event::AttemptStarted)))
        .collect();
    let verdicts = tokio::time::timeout(Duration::from_secs(10), commit(&mut ledger, &starts))
        .await
        .expect("a locked row holds the batch up");
    assert_eq!(verdicts, [Verdict::Busy, WRITTEN]);

    frozen.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(commit(&mut ledger, &starts[..1]).await, [WRITTEN]);
}

#[tokio::test]
async fn a_row_in_a_state_of_a_newer_program_is_an_answer() {
    let stack = TestStack::migrated().await.unwrap();
    let mut ledger = store(&stack);
    let insert = [entry(decided(None, &Event::Request(request(1))))];
    assert_eq!(commit(&mut ledger, &insert).await, [WRITTEN]);
    // What an upgrade does: the constraint is widened, and a newer replica writes.
    let owner = stack
        .cluster
        .connect("payments_owner", "paymentsdb")
        .await
        .unwrap();
    owner
        .batch_execute(
            "ALTER TABLE payments DROP CONSTRAINT payments_state_check;
             UPDATE payments SET state = 'DISPUTED', version = 2",
        )
        .await
        .unwrap();

    let twin = entry(decided(None, &Event::Request(request(1))));
    let unreadable = Verdict::Done(LedgerAnswer::Unreadable);
    assert_eq!(commit(&mut ledger, &[twin]).await, [unreadable]);
}

#[tokio::test]
async fn a_mark_whose_row_is_held_elsewhere_is_left_out_and_holds_nobody_up() {
    let stack = TestStack::migrated().await.unwrap();
    let mut ledger = store(&stack);
    let books = stack
        .cluster
        .connect("payments", "paymentsdb")
        .await
        .unwrap();
    let events = [Uuid::from_u128(1), Uuid::from_u128(2)];
    books
        .execute(
            "INSERT INTO outbox (event_id, order_id, aggregate_seq, subject, schema_version, payload)
             SELECT id, 1, 1, 'payments.succeeded', 1, ''::bytea FROM unnest($1::uuid[]) AS id",
            &[&events.as_slice()],
        )
        .await
        .unwrap();
    // A drainer that claims, or another replica that marks.
    books
        .batch_execute(&format!(
            "BEGIN; SELECT 1 FROM outbox WHERE event_id = '{}' FOR NO KEY UPDATE",
            events[0]
        ))
        .await
        .unwrap();
    let marks = [LedgerEntry::Published(events.to_vec())];
    let marking = tokio::time::timeout(Duration::from_secs(10), commit(&mut ledger, &marks));
    assert_eq!(
        marking.await.expect("a held row holds the batch up"),
        [WRITTEN]
    );
    books.batch_execute("ROLLBACK").await.unwrap();
    let published = format!(
        "outbox WHERE published_at IS NOT NULL AND event_id = '{}'",
        events[1]
    );
    assert_eq!(
        count(&books, "outbox WHERE published_at IS NOT NULL").await,
        1
    );
    assert_eq!(count(&books, &published).await, 1);

    assert_eq!(commit(&mut ledger, &marks).await, [WRITTEN]);
    assert_eq!(
        count(&books, "outbox WHERE published_at IS NOT NULL").await,
        2
    );
}
