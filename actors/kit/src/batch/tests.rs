use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::queue::{Queue, Queued};
use super::*;
use crate::probe::{Alone, settle, start};
use crate::{Answer, AskError};

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    id: u32,
    key: Option<u32>,
    lane: Lane,
    rows: usize,
}

fn entry(id: u32) -> Entry {
    Entry {
        id,
        key: Some(id),
        lane: Lane::Accept,
        rows: 1,
    }
}

impl BatchEntry for Entry {
    type Key = u32;
    fn key(&self) -> Option<u32> {
        self.key
    }
    fn rows(&self) -> usize {
        self.rows
    }
    fn lane(&self) -> Lane {
        self.lane
    }
}

impl Queued for Entry {
    type Entry = Self;
    fn entry(&self) -> &Self {
        self
    }
}

type Scripted = Box<dyn Fn(&[Entry]) -> Result<Vec<Verdict<u32>>, BatchError> + Send>;

/// The ids of a batch, and which try it was.
type Recorded = (Vec<u32>, Attempt);

/// Records every batch; each commit waits for a turn, and may follow a script.
#[derive(Clone)]
struct Book {
    batches: Arc<Mutex<Vec<Recorded>>>,
    turns: Arc<Semaphore>,
    script: Arc<Mutex<VecDeque<Scripted>>>,
}

impl Book {
    fn new(turns: usize) -> Self {
        Self {
            batches: Arc::default(),
            turns: Arc::new(Semaphore::new(turns)),
            script: Arc::default(),
        }
    }

    fn then(
        self,
        result: impl Fn(&[Entry]) -> Result<Vec<Verdict<u32>>, BatchError> + Send + 'static,
    ) -> Self {
        self.script.lock().unwrap().push_back(Box::new(result));
        self
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        let batches = self.batches.lock().unwrap();
        batches.iter().map(|(ids, _)| ids.clone()).collect()
    }
}

impl BatchStore for Book {
    type Entry = Entry;
    type Answer = u32;

    async fn commit(
        &mut self,
        batch: &[Entry],
        attempt: Attempt,
    ) -> Result<Vec<Verdict<u32>>, BatchError> {
        let ids = batch.iter().map(|entry| entry.id).collect();
        self.batches.lock().unwrap().push((ids, attempt));
        self.turns.acquire().await.unwrap().forget();
        let scripted = self.script.lock().unwrap().pop_front();
        match scripted {
            Some(scripted) => scripted(batch),
            None => Ok(batch.iter().map(|entry| Verdict::Done(entry.id)).collect()),
        }
    }
}

type Writer = Mailbox<WriterMsg<Entry, u32>>;

async fn writer(book: &Book, capacity: usize) -> (Writer, Alone) {
    start(
        "writer",
        capacity,
        BatchWriter::new(book.clone(), BatchLimits::default()),
    )
    .await
    .unwrap()
}

fn submit(writer: &Writer, entry: Entry) -> Answer<WriteResult<u32>> {
    let (reply, answer) = Reply::channel();
    writer.try_send(WriterMsg::submit(entry, reply)).unwrap();
    answer
}

#[tokio::test(start_paused = true)]
async fn what_waits_while_a_batch_runs_becomes_the_next_batch() {
    let book = Book::new(0);
    let (writer, _alive) = writer(&book, 100).await;
    let first = submit(&writer, entry(1));
    settle().await;
    let rest: Vec<_> = (2..=5).map(|id| submit(&writer, entry(id))).collect();
    settle().await;
    assert_eq!(book.batches(), [vec![1]], "one transaction at a time");
    book.turns.add_permits(2);
    assert_eq!(first.await, Ok(Ok(1)));
    for (id, answer) in (2..=5).zip(rest) {
        assert_eq!(answer.await, Ok(Ok(id)));
    }
    assert_eq!(book.batches(), [vec![1], vec![2, 3, 4, 5]]);
}

#[tokio::test(start_paused = true)]
async fn places_are_freed_with_the_answers() {
    let book = Book::new(0);
    let (writer, _alive) = writer(&book, 2).await;
    let answers = [submit(&writer, entry(1)), submit(&writer, entry(2))];
    settle().await;
    assert_eq!(
        writer.depth(),
        2,
        "entries in a running batch keep their places"
    );
    assert!(matches!(
        writer.try_send(WriterMsg::lazy(entry(3))),
        Err(crate::SendError::Full(_))
    ));
    book.turns.add_permits(1);
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    settle().await;
    assert_eq!(writer.depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn continuations_go_before_accepts() {
    let book = Book::new(0);
    let (writer, _alive) = writer(&book, 1_000).await;
    let _first = submit(&writer, entry(0));
    settle().await;
    let mut answers: Vec<_> = (1..=300).map(|id| submit(&writer, entry(id))).collect();
    let late = Entry {
        lane: Lane::Continuation,
        ..entry(999)
    };
    answers.push(submit(&writer, late));
    settle().await;
    book.turns.add_permits(3);
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    let batches = book.batches();
    assert_eq!(batches[1].first(), Some(&999));
    assert_eq!(batches[1].len(), 256);
}

#[tokio::test(start_paused = true)]
async fn lazy_entries_ride_along_or_go_after_an_idle_while() {
    let lazy = |id| Entry {
        lane: Lane::Lazy,
        ..entry(id)
    };
    let book = Book::new(10);
    let (writer, _alive) = writer(&book, 100).await;
    writer.try_send(WriterMsg::lazy(lazy(1))).unwrap();
    settle().await;
    assert!(book.batches().is_empty());
    assert_eq!(submit(&writer, entry(2)).await, Ok(Ok(2)));
    assert_eq!(book.batches(), [vec![2, 1]]);
    writer.try_send(WriterMsg::lazy(lazy(3))).unwrap();
    tokio::time::sleep(Duration::from_millis(499)).await;
    settle().await;
    assert_eq!(book.batches().len(), 1);
    tokio::time::sleep(Duration::from_millis(2)).await;
    settle().await;
    assert_eq!(book.batches()[1], [3]);
}

#[tokio::test(start_paused = true)]
async fn lazy_entries_of_one_aggregate_follow_each_other_at_once() {
    let lazy = |id| Entry {
        key: Some(7),
        lane: Lane::Lazy,
        ..entry(id)
    };
    let book = Book::new(10);
    let (writer, _alive) = writer(&book, 100).await;
    for id in 1..=3 {
        writer.try_send(WriterMsg::lazy(lazy(id))).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(501)).await;
    settle().await;
    assert_eq!(book.batches(), [vec![1], vec![2], vec![3]]);
}

#[tokio::test(start_paused = true)]
async fn busy_entries_rejoin_the_next_batch() {
    let book = Book::new(10).then(|batch| {
        Ok(batch
            .iter()
            .map(|entry| match entry.id {
                2 => Verdict::Busy,
                id => Verdict::Done(id),
            })
            .collect())
    });
    let (writer, _alive) = writer(&book, 100).await;
    let answers: Vec<_> = (1..=3).map(|id| submit(&writer, entry(id))).collect();
    for (id, answer) in (1..=3).zip(answers) {
        assert_eq!(answer.await, Ok(Ok(id)));
    }
    assert_eq!(book.batches(), [vec![1, 2, 3], vec![2]]);
}

#[tokio::test(start_paused = true)]
async fn a_busy_entry_that_nobody_waits_for_gives_its_place_back() {
    let mut book = Book::new(10_000);
    for _ in 0..1_000 {
        book = book.then(|batch| Ok(batch.iter().map(|_| Verdict::Busy).collect()));
    }
    let (writer, _alive) = writer(&book, 2).await;
    let patience = Duration::from_secs(1);

    // A locked row: more senders than places, one after the other.
    for id in 1..=5 {
        assert_eq!(
            write(&writer, patience, entry(id)).await,
            Err(WriteError::Ask(AskError::Timeout)),
            "a place is free"
        );
        tokio::time::sleep(patience).await;
        settle().await;
        assert_eq!(writer.depth(), 0);
    }

    let written = book.batches().len();
    tokio::time::sleep(patience).await;
    assert_eq!(book.batches().len(), written, "nothing is tried any more");
}

#[tokio::test(start_paused = true)]
async fn a_busy_lazy_entry_rejoins_although_nobody_waits() {
    let book = Book::new(10).then(|_| Ok(vec![Verdict::Busy]));
    let (writer, _alive) = writer(&book, 100).await;
    let lazy = Entry {
        lane: Lane::Lazy,
        ..entry(1)
    };
    writer.try_send(WriterMsg::lazy(lazy)).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    settle().await;
    assert_eq!(book.batches(), [vec![1], vec![1]]);
}

#[tokio::test(start_paused = true)]
async fn refused_data_is_halved_until_the_poisoned_entry_stands_alone() {
    let mut book = Book::new(100);
    for _ in 0..8 {
        book = book.then(|batch| {
            if batch.iter().any(|entry| entry.id == 3) {
                Err(BatchError::Data("22003".to_owned()))
            } else {
                Ok(batch.iter().map(|entry| Verdict::Done(entry.id)).collect())
            }
        });
    }
    let (writer, _alive) = writer(&book, 100).await;
    let answers: Vec<_> = (1..=4).map(|id| submit(&writer, entry(id))).collect();
    for (id, answer) in (1..=4).zip(answers) {
        let expected = if id == 3 {
            Err(WriteError::Poisoned)
        } else {
            Ok(id)
        };
        assert_eq!(answer.await, Ok(expected));
    }
    assert_eq!(
        book.batches(),
        [vec![1, 2, 3, 4], vec![1, 2], vec![3, 4], vec![3], vec![4]]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_repeats_the_identical_batch_before_anything_else() {
    let book = Book::new(0).then(|_| Err(BatchError::Unknown("connection reset".to_owned())));
    let (writer, _alive) = writer(&book, 100).await;
    let answers = [submit(&writer, entry(1)), submit(&writer, entry(2))];
    settle().await;
    let later = submit(&writer, entry(3));
    book.turns.add_permits(3);
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    assert_eq!(later.await, Ok(Ok(3)));
    let batches = book.batches.lock().unwrap().clone();
    assert_eq!(batches[1].0, [1, 2]);
    assert!(batches[1].1.maybe_committed && !batches[0].1.maybe_committed);
    assert_eq!(batches[2].0, [3]);
}

#[tokio::test(start_paused = true)]
async fn a_serialisation_failure_repeats_the_batch_whole() {
    let book = Book::new(10).then(|_| Err(BatchError::Retry("40001".to_owned())));
    let (writer, _alive) = writer(&book, 100).await;
    assert_eq!(submit(&writer, entry(1)).await, Ok(Ok(1)));
    let batches = book.batches.lock().unwrap().clone();
    assert_eq!(batches.len(), 2);
    assert!(
        !batches[1].1.maybe_committed,
        "it was rolled back for certain"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_unknown_is_told_to_the_senders() {
    let mut book = Book::new(10_000);
    for _ in 0..1_000 {
        book = book.then(|_| Err(BatchError::Unknown("reset".to_owned())));
    }
    let (writer, _alive) = writer(&book, 100).await;
    assert_eq!(
        submit(&writer, entry(1)).await,
        Ok(Err(WriteError::Unavailable))
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_answers_and_the_writer_goes_on() {
    let book = Book::new(10).then(|_| Err(BatchError::Disconnected("refused".to_owned())));
    let (writer, alive) = writer(&book, 100).await;
    assert_eq!(
        submit(&writer, entry(1)).await,
        Ok(Err(WriteError::Unavailable))
    );
    assert_eq!(submit(&writer, entry(2)).await, Ok(Ok(2)));
    assert!(alive.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_panicking_store_is_a_crash_and_its_senders_learn_that_nobody_answers() {
    let book = Book::new(10).then(|_| panic!("planted"));
    let (writer, alive) = writer(&book, 100).await;
    assert_eq!(submit(&writer, entry(1)).await, Err(AskError::Gone));
    settle().await;
    assert!(!alive.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_stopping_writer_writes_what_waits() {
    let book = Book::new(0);
    let (writer, alive) = writer(&book, 100).await;
    let first = submit(&writer, entry(1));
    settle().await;
    let second = submit(&writer, entry(2));
    settle().await;
    book.turns.add_permits(2);
    alive.stop().await;
    assert_eq!(first.await, Ok(Ok(1)));
    assert_eq!(second.await, Ok(Ok(2)));
}

#[tokio::test(start_paused = true)]
async fn write_gives_up_at_its_deadline() {
    let book = Book::new(0);
    let (writer, _alive) = writer(&book, 100).await;
    assert_eq!(
        write(&writer, Duration::from_secs(1), entry(1)).await,
        Err(WriteError::Ask(AskError::Timeout))
    );
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry =
        (0_u32..8, any::<bool>(), 0_usize..3, 1_usize..900).prop_map(|(key, keyed, lane, rows)| {
            Entry {
                id: 0,
                key: keyed.then_some(key),
                lane: [Lane::Continuation, Lane::Accept, Lane::Lazy][lane],
                rows,
            }
        });
    prop::collection::vec(entry, 1..80).prop_map(|mut entries| {
        for (id, entry) in (0..).zip(entries.iter_mut()) {
            entry.id = id;
        }
        entries
    })
}

proptest! {
    #[test]
    fn batches_lose_nothing_and_keep_their_limits(entries in entries()) {
        let limits = BatchLimits { entries_max: 10, ..BatchLimits::default() };
        let mut queue = Queue::default();
        for entry in &entries {
            queue.push(entry.clone());
        }
        let mut seen = Vec::new();
        let mut last: HashMap<(u32, &'static str), u32> = HashMap::new();
        while !queue.is_empty() {
            let batch = queue.take_batch(&limits);
            prop_assert!(!batch.is_empty() && batch.len() <= limits.entries_max);
            let rows: usize = batch.iter().map(|entry| entry.rows).sum();
            prop_assert!(rows <= limits.rows_max || batch.len() == 1);
            let mut keys: Vec<_> = batch.iter().filter_map(|entry| entry.key).collect();
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), all, "one write per aggregate");
            for entry in &batch {
                let lane = match entry.lane { Lane::Continuation => "c", Lane::Accept => "a", Lane::Lazy => "l" };
                if let Some(key) = entry.key
                    && let Some(before) = last.insert((key, lane), entry.id)
                {
                    prop_assert!(before < entry.id, "an aggregate's entries keep their order");
                }
            }
            seen.extend(batch.into_iter().map(|entry| entry.id));
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, entries.iter().map(|entry| entry.id).collect::<Vec<_>>());
    }
}
