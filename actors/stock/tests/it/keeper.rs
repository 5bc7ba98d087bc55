//! The stock keeper on a store in memory, with paused time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::batch::{Attempt, BatchError, WriteError, WriteResult, write};
use actor_kit::{Mailbox, TraceContext, probe};
use stock::{
    Answer, Books, Changes, Command, KeeperMsg, ReleaseAnswer, ReleaseEffect, ReservationId,
    ReserveAnswer, Snapshot, StockEntry, StockStore, Wanted, keeper,
};
use tokio::sync::Semaphore;

use crate::support::*;

const DEADLINE: Duration = Duration::from_secs(30);

/// What happens to one batch.
enum Fault {
    /// `lock` fails.
    Lock(BatchError),
    /// `write` fails before anything is committed.
    Write(BatchError),
    /// `write` commits, and the answer is lost.
    AfterCommit,
}

#[derive(Default)]
struct Shared {
    books: Books,
    faults: VecDeque<Fault>,
    busy: BTreeSet<ReservationId>,
    /// The batches that were locked: their reservations.
    batches: Vec<Vec<ReservationId>>,
}

/// Books behind the port. A batch begins when the test adds a permit to the gate.
#[derive(Clone)]
struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    gate: Arc<Semaphore>,
}

impl MemoryStore {
    fn new(books: Books) -> Self {
        let shared = Shared {
            books,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    fn with<R>(&self, look: impl FnOnce(&mut Shared) -> R) -> R {
        look(&mut self.shared.lock().unwrap())
    }

    fn close_gate(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }
}

impl StockStore for MemoryStore {
    async fn lock(&mut self, wanted: &Wanted, _: Attempt) -> Result<Snapshot, BatchError> {
        self.gate.acquire().await.unwrap().forget();
        self.with(|shared| {
            shared.batches.push(wanted.reservations.clone());
            if let Some(Fault::Lock(_)) = shared.faults.front()
                && let Some(Fault::Lock(error)) = shared.faults.pop_front()
            {
                return Err(error);
            }
            let mut snapshot = shared.books.snapshot(wanted);
            for id in &shared.busy {
                if snapshot.reservations.remove(id).is_some() {
                    snapshot.busy_reservations.insert(*id);
                }
            }
            Ok(snapshot)
        })
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), BatchError> {
        self.with(|shared| match shared.faults.pop_front() {
            Some(Fault::Write(error) | Fault::Lock(error)) => Err(error),
            Some(Fault::AfterCommit) => {
                shared.books.apply(changes).unwrap();
                Err(BatchError::Unknown("the answer was lost".into()))
            }
            None => shared
                .books
                .apply(changes)
                .map_err(|error| BatchError::Data(error.to_string())),
        })
    }
}

struct Bench {
    store: MemoryStore,
    keeper: Mailbox<KeeperMsg>,
    _alone: probe::Alone,
}

impl Bench {
    async fn start(faults: impl IntoIterator<Item = Fault>) -> Self {
        let store = MemoryStore::new(Books::with_stock(two_products()));
        store.with(|shared| shared.faults.extend(faults));
        let (keeper, alone) = probe::start("stock-keeper", 64, keeper(store.clone()))
            .await
            .unwrap();
        Self {
            store,
            keeper,
            _alone: alone,
        }
    }

    async fn tell(&self, command: Command) -> WriteResult<Answer> {
        write(
            &self.keeper,
            DEADLINE,
            StockEntry {
                command,
                trace: TraceContext::default(),
            },
        )
        .await
    }

    /// Sends all at once and waits for every answer.
    async fn tell_all(&self, commands: Vec<Command>) -> Vec<WriteResult<Answer>> {
        let mut waiting = Vec::new();
        for command in commands {
            let entry = StockEntry {
                command,
                trace: TraceContext::default(),
            };
            let keeper = self.keeper.clone();
            waiting.push(tokio::spawn(async move {
                write(&keeper, DEADLINE, entry).await
            }));
        }
        let mut answers = Vec::new();
        for answer in waiting {
            answers.push(answer.await.unwrap());
        }
        answers
    }

    fn reserved(&self, name: &str) -> i64 {
        self.store
            .with(|shared| shared.books.stock[&sku(name)].reserved)
    }
}

fn is_held(answer: &WriteResult<Answer>) -> bool {
    matches!(answer, Ok(Answer::Reserve(ReserveAnswer::Held { .. })))
}

#[tokio::test(start_paused = true)]
async fn what_waits_while_a_batch_runs_becomes_the_next_batch() {
    let bench = Bench::start([]).await;
    bench.store.close_gate();
    let asking = async {
        bench
            .tell_all((1..=5).map(|n| reserve(n, &[("A", 1)])).collect())
            .await
    };
    let opening = async {
        probe::settle().await;
        bench.store.gate.add_permits(64);
    };
    let (answers, ()) = tokio::join!(asking, opening);
    assert!(answers.iter().all(is_held));
    assert_eq!(bench.reserved("A"), 5);
    assert!(
        bench.store.with(|shared| shared.batches.len()) <= 2,
        "five commands, at most two transactions"
    );
    assert_eq!(bench.keeper.depth(), 0, "every place is free again");
}

#[tokio::test(start_paused = true)]
async fn continuations_go_before_new_reserves() {
    let bench = Bench::start([]).await;
    assert!(is_held(&bench.tell(reserve(1, &[("B", 4)])).await));
    bench.store.close_gate();
    // The first command occupies the writer; then a Reserve arrives before a Release that would make room for it.
    let commands = vec![reserve(2, &[("A", 1)]), reserve(3, &[("B", 4)]), release(1)];
    let asking = async { bench.tell_all(commands).await };
    let opening = async {
        probe::settle().await;
        bench.store.gate.add_permits(64);
    };
    let (answers, ()) = tokio::join!(asking, opening);
    assert!(
        is_held(&answers[1]),
        "the release of 1 went first: {answers:?}"
    );
    assert_eq!(
        answers[2],
        Ok(Answer::Release(ReleaseAnswer::Released(
            ReleaseEffect::GaveBack
        )))
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_and_holds_once() {
    let bench = Bench::start([Fault::AfterCommit]).await;
    assert!(is_held(&bench.tell(reserve(1, &[("A", 3)])).await));
    assert_eq!(bench.reserved("A"), 3);
    assert_eq!(bench.store.with(|shared| shared.batches.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_serialisation_failure_is_repeated_whole() {
    let bench = Bench::start([
        Fault::Lock(BatchError::Retry("55P03".into())),
        Fault::Write(BatchError::Retry("40P01".into())),
    ])
    .await;
    let answers = bench
        .tell_all(vec![reserve(1, &[("A", 1)]), reserve(2, &[("A", 1)])])
        .await;
    assert!(answers.iter().all(is_held), "{answers:?}");
    assert_eq!(bench.reserved("A"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_is_an_answer_and_the_next_command_works() {
    let bench = Bench::start([Fault::Lock(BatchError::Disconnected("no route".into()))]).await;
    assert_eq!(
        bench.tell(reserve(1, &[("A", 1)])).await,
        Err(WriteError::Unavailable)
    );
    assert!(is_held(&bench.tell(reserve(1, &[("A", 1)])).await));
}

#[tokio::test(start_paused = true)]
async fn one_refused_entry_does_not_take_its_neighbours_along() {
    let bench = Bench::start([]).await;
    let stolen = Command::Release {
        reservation_id: id(2),
        release_id: release_id(1),
        order_id: order(2),
    };
    let answers = bench
        .tell_all(vec![release(1), stolen, release(3), release(4)])
        .await;
    let refused: Vec<bool> = answers
        .iter()
        .map(|answer| *answer == Err(WriteError::Poisoned))
        .collect();
    assert_eq!(
        refused.iter().filter(|refused| **refused).count(),
        1,
        "{answers:?}"
    );
    assert!(answers[2].is_ok() && answers[3].is_ok(), "{answers:?}");
    assert_eq!(bench.store.with(|shared| shared.books.releases.len()), 3);
}

#[tokio::test(start_paused = true)]
async fn a_busy_row_rejoins_until_it_is_free() {
    let bench = Bench::start([]).await;
    bench
        .tell_all(vec![reserve(1, &[("A", 1)]), reserve(2, &[("A", 1)])])
        .await;
    bench.store.with(|shared| shared.busy.insert(id(1)));
    let asking = async { bench.tell_all(vec![commit(1), commit(2)]).await };
    let freeing = async {
        // The neighbour is committed while 1 still waits.
        while bench
            .store
            .with(|shared| shared.books.stock[&sku("A")].on_hand)
            != 9
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.store.with(|shared| shared.busy.clear());
    };
    let (answers, ()) = tokio::join!(asking, freeing);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(
        bench
            .store
            .with(|shared| shared.books.stock[&sku("A")].on_hand),
        8
    );
}

#[tokio::test(start_paused = true)]
async fn two_commands_on_one_reservation_are_never_in_one_batch() {
    let bench = Bench::start([]).await;
    bench
        .tell_all(vec![
            reserve(1, &[("A", 1)]),
            release(1),
            commit(1),
            reserve(1, &[("A", 1)]),
        ])
        .await;
    bench.store.with(|shared| {
        for batch in &shared.batches {
            assert_eq!(batch.len(), 1);
        }
        assert_eq!(shared.batches.len(), 4);
    });
}
