//! The group-commit writer: one actor per stage through which every write of that stage goes.
//!
//! ```text
//!   Submit ─▶ lanes: continuation │ accept │ lazy ─▶ one batch at a time ─▶ task: store.commit(batch) ─▶ BatchDone ─▶ one answer each
//!             (handler only appends)   ≤ 256 entries, ≤ 2,000 rows                                       └ Busy ─▶ rejoins the next batch
//! ```
//!
//! While one transaction runs in its task, whatever arrives waits and becomes the next batch: no linger timer, so an idle writer adds no
//! delay and a busy one batches by itself (group commit as in DeWitt et al., "Implementation Techniques for Main Memory Database
//! Systems", SIGMOD 1984). The place of each entry in the mailbox is freed with its answer.
//!
//! **Invariants.** At most one transaction runs. At most one entry per aggregate is in a batch, in order of arrival. Continuations of
//! accepted work go before new accepts. A batch is halved only when the data itself was refused, repeated whole after a serialisation
//! failure, and repeated identically when its outcome is unknown.
//!
//! **Crash.** What waited is dropped, so its senders learn [`AskError::Gone`](crate::AskError::Gone); a transaction that runs goes on in its task.

mod flight;
mod queue;
mod writer;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::time::Duration;

use crate::mailbox::Mailbox;
use crate::reply::{AskError, Reply};

pub use writer::BatchWriter;

/// How urgent an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Goes on with what was accepted: first.
    Continuation,
    /// New work.
    Accept,
    /// Nobody waits for it: rides on a later batch, or goes when nothing else has come for [`BatchLimits::lazy_idle`]. May be lost.
    Lazy,
}

/// One write.
pub trait BatchEntry: Send + 'static {
    /// Names the aggregate that is written.
    type Key: Eq + Hash + Clone + Send;

    /// The aggregate: two entries with the same key are never in one batch. `None` conflicts with nothing.
    fn key(&self) -> Option<Self::Key>;

    /// How many rows it writes, roughly.
    fn rows(&self) -> usize;

    /// How urgent it is.
    fn lane(&self) -> Lane;

    /// The order that it is about, for traces.
    fn order_id(&self) -> Option<i64> {
        None
    }
}

/// Which try of a batch this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempt {
    /// 0 for the first.
    pub number: u32,
    /// An earlier try ended in [`BatchError::Unknown`]: a row that is already in the new state may be this very write.
    pub maybe_committed: bool,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<A> {
    /// Decided, with its answer.
    Done(A),
    /// Its row was locked elsewhere; nothing was written. It rejoins the next batch as long as its sender waits.
    Busy,
}

/// Why a whole batch failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The database refused a value (SQLSTATE 22, 23): the batch is halved until the entry is found.
    #[error("refused data: {0}")]
    Data(String),
    /// Rolled back by the database, may succeed (SQLSTATE 40xxx, 55P03): repeated whole.
    #[error("may be repeated: {0}")]
    Retry(String),
    /// Nothing was sent: no connection.
    #[error("disconnected: {0}")]
    Disconnected(String),
    /// The connection broke around the commit: the identical batch is repeated.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// Where batches go. The implementation owns its connection.
pub trait BatchStore: Send + 'static {
    /// What is written.
    type Entry: BatchEntry + Sync;
    /// What the sender of an entry learns.
    type Answer: Send + 'static;

    /// Commits `batch` in one transaction and tells what became of each entry: same length, same order.
    fn commit(
        &mut self,
        batch: &[Self::Entry],
        attempt: Attempt,
    ) -> impl Future<Output = Result<Vec<Verdict<Self::Answer>>, BatchError>> + Send;
}

/// Why an entry was not decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No connection, or an outcome that stayed unknown: read the aggregate again before acting.
    #[error("the database is not available")]
    Unavailable,
    /// The database refused this very entry's values.
    #[error("the database refused the entry")]
    Poisoned,
    /// The writer did not answer: see [`AskError`].
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// What a sender of an entry gets back.
pub type WriteResult<A> = Result<A, WriteError>;

/// Bounds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Entries in a batch. Beyond a few hundred the gain flattens while the wait of the last entry grows.
    pub entries_max: usize,
    /// Rows in a batch: bounds the size of the statement's arrays.
    pub rows_max: usize,
    /// How long lazy entries wait for a batch to ride on.
    pub lazy_idle: Duration,
    /// How long a batch whose outcome is unknown is repeated before its senders learn [`WriteError::Unavailable`].
    pub repeat_for: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            entries_max: 256,
            rows_max: 2_000,
            lazy_idle: Duration::from_millis(500),
            repeat_for: Duration::from_secs(5),
        }
    }
}

/// What a [`BatchWriter`] is told.
pub enum WriterMsg<E, A> {
    /// Write `entry`. Sent by anyone; `reply` gets exactly one result. Lazy entries carry no port.
    Submit {
        /// What to write.
        entry: E,
        /// Where the answer goes.
        reply: Option<Reply<WriteResult<A>>>,
    },
    /// The writer to itself.
    Own(OwnMsg),
}

impl<E, A> fmt::Debug for WriterMsg<E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Submit { .. } => "Submit",
            Self::Own(_) => "Own",
        })
    }
}

impl<E, A> WriterMsg<E, A> {
    /// The message that writes `entry` and answers on `reply`.
    pub fn submit(entry: E, reply: Reply<WriteResult<A>>) -> Self {
        Self::Submit {
            entry,
            reply: Some(reply),
        }
    }

    /// The message that writes `entry` when it is convenient.
    pub fn lazy(entry: E) -> Self {
        Self::Submit { entry, reply: None }
    }
}

/// What the writer tells itself; opaque.
#[derive(Debug)]
pub struct OwnMsg(writer::Own);

/// Writes `entry` and waits for its answer, for code that is not an actor.
///
/// # Errors
/// [`WriteError`]; after [`AskError::Timeout`] the entry may still be written.
pub async fn write<E: BatchEntry, A: Send + 'static>(
    writer: &Mailbox<WriterMsg<E, A>>,
    deadline: Duration,
    entry: E,
) -> WriteResult<A> {
    writer
        .ask(deadline, |reply| WriterMsg::submit(entry, reply))
        .await?
}

#[cfg(test)]
mod tests;
