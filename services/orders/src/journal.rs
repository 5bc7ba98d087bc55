//! The journal's store: every write of orders and sagas, one statement per batch.
//!
//! ```text
//!   batch ──▶ Columns ──▶ commit_batch ──▶ won  ──▶ Accepted, Written; their events go to the drainer in memory
//!                         one autocommit   busy ──▶ rejoins the next batch
//!                         statement        lost ──▶ read_lost ──▶ ours after all, KeyTaken or Stale
//! ```
//!
//! **Invariants.** The client holds no transaction: a process that freezes holds no lock. A refused entry writes nothing. After a commit
//! whose outcome stayed unknown the identical batch is repeated; what it finds written counts as its own only when the timeline holds its
//! write id, and so does what any lost entry finds. All times are the database's.
//!
//! **Crash.** The connection is dropped with whatever ran on it; the rows are whole or absent.

mod columns;
mod spans;

use std::time::Duration;

use actor_kit::batch::{Attempt, BatchError, BatchStore, Verdict};
use actor_kit::{Mailbox, TraceContext};
use order_saga::{JournalEntry, Journaled, OrderId};
use orders_sql::queries::journal as sql;
use outbox::{DrainerMsg, OutboxEvent};
use shopapi_postgres::{Client, Disconnected, Failure, FailureClass, PgConfig, Session, timed};
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::{Instrument as _, error, info};

use crate::telemetry;
use columns::Columns;

/// How long the statements of one batch may take; above the role's `statement_timeout`, so that the server's answer normally comes first.
const BATCH_DEADLINE: Duration = Duration::from_secs(12);

/// The store. Owns its connection.
#[derive(Debug)]
pub struct SqlJournal {
    session: Result<Session, Disconnected>,
    drainer: Mailbox<DrainerMsg>,
}

/// What one batch came to.
struct Decided {
    verdicts: Vec<Verdict<Journaled>>,
    /// Events that are committed.
    events: Vec<OutboxEvent>,
}

impl SqlJournal {
    /// A store that connects at its first batch. Committed events are handed to `drainer`.
    #[must_use]
    pub fn new(config: &PgConfig, drainer: Mailbox<DrainerMsg>) -> Self {
        Self {
            session: Session::new(config),
            drainer,
        }
    }
}

impl BatchStore for SqlJournal {
    type Entry = JournalEntry;
    type Answer = Journaled;

    async fn commit(
        &mut self,
        batch: &[JournalEntry],
        _: Attempt,
    ) -> Result<Vec<Verdict<Journaled>>, BatchError> {
        let columns = Columns::of(batch).map_err(|error| BatchError::Data(error.to_string()))?;
        let session = match &mut self.session {
            Ok(session) => session,
            Err(gone) => return Err(batch_error(gone.clone().into())),
        };
        let client = session
            .client()
            .await
            .map_err(|gone| BatchError::Disconnected(gone.to_string()))?;
        let spans = spans::of(batch);
        let writing = write(client, batch, columns).instrument(spans.batch.clone());
        let writing = timed("commit_batch", timeout(BATCH_DEADLINE, writing));
        let failure = match writing.await {
            Ok(Ok(decided)) => Ok(decided),
            Ok(Err(error)) => Err(session.judge(&error)),
            Err(_elapsed) => Err(session.overdue()),
        };
        let decided = failure.map_err(|failure| {
            spans.failed();
            batch_error(failure)
        })?;
        drop(spans);
        if !decided.events.is_empty() {
            // Dropped when the drainer is full or gone: it claims the rows. The hand-over belongs to no single order's trace.
            let hand_over = DrainerMsg::HandOver(decided.events);
            drop(
                self.drainer
                    .try_send_with(hand_over, TraceContext::default()),
            );
        }
        Ok(decided.verdicts)
    }
}

async fn write(
    client: &Client,
    batch: &[JournalEntry],
    columns: Columns<'_>,
) -> Result<Decided, tokio_postgres::Error> {
    let sql::CommitBatch { at, won, busy } = columns.commit(client).await?;
    let mut fates = vec![Fate::Lost; columns.len()];
    for (ordinals, fate) in [(won, Fate::Won(at)), (busy, Fate::Busy)] {
        for ordinal in ordinals {
            if let Some(slot) = index(ordinal).and_then(|index| fates.get_mut(index)) {
                *slot = fate;
            }
        }
    }
    if fates.contains(&Fate::Lost) {
        judge_lost(client, batch, &columns, &mut fates).await?;
    }
    let verdicts = verdicts(batch, &columns, &fates);
    let events = columns.events_where(|index| matches!(fates.get(index), Some(Fate::Won(_))));
    Ok(Decided { verdicts, events })
}

/// What became of one row-writing entry.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is stored, since then.
    Won(OffsetDateTime),
    /// Somebody holds its row, or its key's row is just being forgotten.
    Busy,
    /// Not stored; why is not known yet.
    Lost,
    /// Another version is stored.
    Stale,
    /// Its key was used before.
    KeyTaken {
        order_id: OrderId,
        same_fingerprint: bool,
    },
}

/// Finds out why entries were not stored: by whom their version was written, whose their key is.
///
/// An error here leaves the batch's outcome unknown to its senders, although it is committed: the connection is given up, the batch is
/// repeated, and each entry finds its own write id.
async fn judge_lost(
    client: &Client,
    batch: &[JournalEntry],
    columns: &Columns<'_>,
    fates: &mut [Fate],
) -> Result<(), tokio_postgres::Error> {
    let lost: Vec<usize> = (0..fates.len())
        .filter(|index| fates.get(*index) == Some(&Fate::Lost))
        .collect();
    let found = columns.read_lost(client, &lost).await?;
    for row in found {
        let Some(index) = index(row.ordinal).and_then(|place| lost.get(place).copied()) else {
            continue;
        };
        let (Some(entry), Some(slot)) = (
            batch.get(columns.place_in_batch(index)),
            fates.get_mut(index),
        ) else {
            continue;
        };
        *slot = fate_of_lost(entry, &row);
    }
    Ok(())
}

fn fate_of_lost(entry: &JournalEntry, row: &sql::LostEntry) -> Fate {
    let (write_id, saga) = match entry {
        JournalEntry::Accept(accept) => (accept.write_id, &accept.saga),
        JournalEntry::Transition(transition) => (transition.write_id, &transition.saga),
        JournalEntry::PublishedMarks(_) => return Fate::Stale,
    };
    if let (Some(stored), Some(at)) = (row.write_id, row.at)
        && stored == write_id.0
    {
        info!(order_id = %saga.order.order_id, "a commit whose outcome was unknown had been made");
        return Fate::Won(at);
    }
    let JournalEntry::Accept(accept) = entry else {
        return Fate::Stale;
    };
    match (&accept.key, row.key_order_id, &row.fingerprint) {
        (Some(key), Some(order_id), Some(fingerprint))
            if order_id != accept.saga.order.order_id.0 =>
        {
            Fate::KeyTaken {
                order_id: OrderId(order_id),
                same_fingerprint: *fingerprint == key.fingerprint,
            }
        }
        // Between the two statements the key was forgotten: it is free now.
        (Some(_), None, _) if row.write_id.is_none() => Fate::Busy,
        _ => {
            error!(order_id = %accept.saga.order.order_id, "the order id is in use already");
            Fate::Stale
        }
    }
}

/// One verdict for each entry of the batch, in its order.
fn verdicts(
    batch: &[JournalEntry],
    columns: &Columns<'_>,
    fates: &[Fate],
) -> Vec<Verdict<Journaled>> {
    let mut verdicts: Vec<Verdict<Journaled>> = batch
        .iter()
        .map(|_| Verdict::Done(Journaled::Marked))
        .collect();
    for (index, fate) in fates.iter().enumerate() {
        let place = columns.place_in_batch(index);
        let (Some(entry), Some(slot)) = (batch.get(place), verdicts.get_mut(place)) else {
            continue;
        };
        *slot = match *fate {
            Fate::Won(at) if matches!(entry, JournalEntry::Accept(_)) => {
                Verdict::Done(Journaled::Accepted { at })
            }
            Fate::Won(at) => {
                if let JournalEntry::Transition(transition) = entry {
                    telemetry::committed(transition, at);
                }
                Verdict::Done(Journaled::Written { at })
            }
            Fate::Busy => Verdict::Busy,
            Fate::Lost | Fate::Stale => Verdict::Done(Journaled::Stale),
            Fate::KeyTaken {
                order_id,
                same_fingerprint,
            } => Verdict::Done(Journaled::KeyTaken {
                order_id,
                same_fingerprint,
            }),
        };
    }
    verdicts
}

/// An ordinal of the database, which counts from 1.
fn index(ordinal: i64) -> Option<usize> {
    usize::try_from(ordinal).ok()?.checked_sub(1)
}

fn batch_error(failure: Failure) -> BatchError {
    let Failure { class, text } = failure;
    match class {
        FailureClass::Data => BatchError::Data(text),
        FailureClass::Disconnected => BatchError::Disconnected(text),
        FailureClass::Unknown => BatchError::Unknown(text),
        // Nothing was written. What cannot be cured by repeating is given up by the writer after a while.
        FailureClass::Retry | FailureClass::StalePlan | FailureClass::Other => {
            BatchError::Retry(text)
        }
    }
}
