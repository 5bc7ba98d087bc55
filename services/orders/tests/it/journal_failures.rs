//! Two journals on one database, refused data, lost connections.

use actor_kit::batch::{
    BatchError, BatchLimits, BatchWriter, Verdict, WriteError, WriteResult, write,
};
use actor_kit::{Mailbox, probe};
use order_saga::{JournalEntry, JournalMsg, Journaled, Saga, SagaEvent};
use shopapi_orders::SqlJournal;

use crate::support::*;

/// A journal with its writer: one replica as it runs.
async fn writer(bench: &Bench) -> (Mailbox<JournalMsg>, probe::Alone) {
    let store = SqlJournal::new(&bench.config(), nowhere());
    let writer = BatchWriter::new(store, BatchLimits::default());
    probe::start("journal", 4_096, writer).await.unwrap()
}

async fn write_all(
    journal: &Mailbox<JournalMsg>,
    entries: Vec<JournalEntry>,
) -> Vec<WriteResult<Journaled>> {
    let writes = entries
        .into_iter()
        .map(|entry| write(journal, DEADLINE, entry));
    futures::future::join_all(writes).await
}

/// Accepts orders 1 to `count`.
async fn accepted(bench: &Bench, count: i64) -> Vec<Saga> {
    let (entries, sagas): (Vec<_>, Vec<_>) = (1..=count).map(|id| accepting(id, None)).unzip();
    let verdicts = bench.journal().commit(&entries).await;
    assert!(verdicts.iter().all(is_accepted));
    sagas
}

#[tokio::test]
async fn of_two_journals_that_race_on_a_saga_exactly_one_wins() {
    let bench = Bench::start().await;
    let sagas = accepted(&bench, 64).await;
    let (here, _alone_here) = writer(&bench).await;
    let (there, _alone_there) = writer(&bench).await;
    let holds = || sagas.iter().map(|saga| moving(saga, &held()).0).collect();
    let mut cancels: Vec<JournalEntry> = sagas
        .iter()
        .map(|saga| moving(saga, &SagaEvent::CancelRequested).0)
        .collect();
    // In opposite orders, so that unsorted locks would meet crosswise.
    cancels.reverse();

    let (held, mut cancelled) = tokio::join!(write_all(&here, holds()), write_all(&there, cancels));

    cancelled.reverse();
    for (index, pair) in held.iter().zip(&cancelled).enumerate() {
        let won = |result: &WriteResult<Journaled>| matches!(result, Ok(Journaled::Written { .. }));
        assert!(won(pair.0) != won(pair.1), "order {}: {pair:?}", index + 1);
        let stale = |result: &WriteResult<Journaled>| *result == Ok(Journaled::Stale);
        assert!(stale(pair.0) || stale(pair.1), "{pair:?}");
    }
    let twice = "SELECT count(*) FROM orders WHERE version <> 2";
    assert_eq!(bench.number(twice).await, 0);
    let events = "SELECT count(*) - (SELECT count(*) FROM orders WHERE status = 'AWAITING_PAYMENT') FROM outbox";
    assert_eq!(bench.number(events).await, 0, "one event per winner");
}

#[tokio::test]
async fn a_key_that_two_replicas_use_at_once_makes_one_order() {
    let bench = Bench::start().await;
    let (here, _alone_here) = writer(&bench).await;
    let (there, _alone_there) = writer(&bench).await;
    let batch = |first: i64| {
        (0..64)
            .map(|n| accepting(first + n, key(&format!("k{n}"), 1)).0)
            .collect::<Vec<_>>()
    };
    let (one, mut two) = (batch(1), batch(101));
    two.reverse();

    let (one, mut two) = tokio::join!(write_all(&here, one), write_all(&there, two));

    two.reverse();
    for (n, pair) in (0_i64..).zip(one.iter().zip(&two)) {
        let taken = |order_id| {
            Ok(Journaled::KeyTaken {
                order_id: order_saga::OrderId(order_id),
                same_fingerprint: true,
            })
        };
        match pair {
            (Ok(Journaled::Accepted { .. }), lost) => assert_eq!(*lost, taken(1 + n)),
            (lost, Ok(Journaled::Accepted { .. })) => assert_eq!(*lost, taken(101 + n)),
            neither => panic!("key {n}: {neither:?}"),
        }
    }
    assert_eq!(bench.rows().await, [64, 64, 64, 0]);
}

#[tokio::test]
async fn one_entry_that_the_database_refuses_is_found_and_its_neighbours_go_on() {
    let bench = Bench::start().await;
    let (journal, _alone) = writer(&bench).await;
    let mut entries: Vec<_> = (1..=32).map(|id| accepting(id, None).0).collect();
    if let JournalEntry::Accept(accept) = &mut entries[11] {
        // No text of PostgreSQL holds a NUL: SQLSTATE 22021.
        accept.timeline.cause = "\0".to_owned();
    }
    if let JournalEntry::Accept(accept) = &mut entries[20] {
        // A CHECK: SQLSTATE 23514.
        accept.key = key("", 1);
    }

    let answers = write_all(&journal, entries).await;

    for (index, answer) in answers.iter().enumerate() {
        let poisoned = *answer == Err(WriteError::Poisoned);
        assert_eq!(poisoned, [11, 20].contains(&index), "{index}: {answer:?}");
    }
    assert_eq!(bench.rows().await, [30, 30, 0, 0]);
}

#[tokio::test]
async fn a_killed_connection_loses_and_doubles_nothing() {
    let bench = Bench::start().await;
    let (journal, _alone) = writer(&bench).await;
    let killer = bench.stack.cluster.connect(devstack::SUPERUSER, "ordersdb");
    let killer = killer.await.unwrap();
    let killing = async {
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'orders'";
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(15));
        for _ in 0..20 {
            ticks.tick().await;
            killer.execute(kill, &[]).await.unwrap();
        }
    };
    let writing = async {
        let mut answered = 0_i64;
        for round in 0..20 {
            let entries = (1..=16)
                .map(|n| accepting(round * 16 + n, key(&format!("{round}/{n}"), 1)).0)
                .collect();
            for answer in write_all(&journal, entries).await {
                match answer {
                    Ok(Journaled::Accepted { .. }) => answered += 1,
                    // Nothing was sent, or the outcome stayed unknown for long.
                    Err(WriteError::Unavailable) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        answered
    };
    let ((), answered) = tokio::join!(killing, writing);
    let [orders, timeline, keys, _] = bench.rows().await;
    assert!(orders >= answered, "{answered} answered, {orders} stored");
    assert!(answered > 0);
    assert_eq!([timeline, keys], [orders, orders], "all or nothing");
}

#[tokio::test]
async fn without_a_database_nothing_is_sent_and_with_it_back_the_journal_goes_on() {
    let mut bench = Bench::start().await;
    let mut journal = bench.journal();
    let (first, _) = accepting(1, None);
    journal.commit(&[first]).await;
    bench.stack.cluster.stop().await.unwrap();
    let (second, _) = accepting(2, None);
    let second = [second];

    let mut failures = vec![];
    for attempt in [FIRST, AGAIN, AGAIN] {
        failures.push(journal.try_commit(&second, attempt).await.unwrap_err());
    }

    assert!(
        matches!(failures.last(), Some(BatchError::Disconnected(_))),
        "{failures:?}"
    );
    bench.stack.cluster.start().await.unwrap();
    eventually("the journal writes again", async || {
        journal
            .try_commit(&second, AGAIN)
            .await
            .is_ok_and(|verdicts| matches!(verdicts[0], Verdict::Done(Journaled::Accepted { .. })))
    })
    .await;
    bench.owner = bench.connect().await;
    assert_eq!(bench.rows().await, [2, 2, 0, 0]);
}
