//! The stock keeper: the group-commit writer of actor-kit over a [`StockStore`].
//!
//! Owns nothing but its queue; its neighbours are whoever sends commands (the gRPC adapter) and the database behind the port.
//! Release and Commit finish what was accepted and go before new Reserves. When it crashes the waiting callers learn that it is
//! gone and repeat their commands; a transaction that had not committed is rolled back with its connection.

use std::future::Future;

use actor_kit::TraceContext;
use actor_kit::batch::{
    Attempt, BatchEntry, BatchError, BatchLimits, BatchStore, BatchWriter, Lane,
    Verdict as KitVerdict, WriterMsg,
};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use crate::batch::{Changes, Snapshot, Verdict, Wanted, decide_batch};
use crate::messages::{Answer, Command};
use crate::types::{OrderId, ReservationId};

/// Stock rows that a Release or Commit is taken to move when a batch is filled; only the reservation knows. Most orders have fewer
/// lines, and the bound is about the size of a statement, not about correctness.
const LINES_ASSUMED: usize = 4;

/// The actor. Its message is [`KeeperMsg`].
pub type StockKeeper<S> = BatchWriter<KeeperStore<S>>;

/// What the stock keeper is told: `Submit` with a [`StockEntry`]; the answer is an [`Answer`] of the command's kind.
pub type KeeperMsg = WriterMsg<StockEntry, Answer>;

/// A stock keeper over `store`.
pub fn keeper<S: StockStore>(store: S) -> StockKeeper<S> {
    BatchWriter::new(KeeperStore { store }, BatchLimits::default())
}

/// The port to the books. One value owns one connection; `lock` and `write` are called in turn, one pair per batch.
pub trait StockStore: Send + 'static {
    /// Begins a transaction, locks the wanted rows that exist (reservations, then stock, both in sorted order) and reads them, together
    /// with the stock under HELD reservations. A transaction that an earlier call left open is rolled back first.
    fn lock(
        &mut self,
        wanted: &Wanted,
        attempt: Attempt,
    ) -> impl Future<Output = Result<Snapshot, BatchError>> + Send;

    /// Writes the changes into the open transaction and commits it. Empty changes only end it.
    fn write(&mut self, changes: &Changes) -> impl Future<Output = Result<(), BatchError>> + Send;

    /// An answer is committed: called once for each command that was decided, for counting.
    fn decided(&self, answer: &Answer) {
        let _ = answer;
    }

    /// The span of one order's part in a batch. It has the field `otel.status_code`, empty.
    fn span(&self, order_id: OrderId) -> Span {
        info_span!(parent: None, "commit", otel.status_code = Empty, order.id = order_id.0)
    }
}

/// A command on its way to the keeper, with the trace it belongs to.
#[derive(Clone, Debug)]
pub struct StockEntry {
    /// What to do.
    pub command: Command,
    /// The order's trace; empty when there is none.
    pub trace: TraceContext,
}

impl BatchEntry for StockEntry {
    type Key = ReservationId;

    fn order_id(&self) -> Option<i64> {
        Some(self.command.order_id().0)
    }

    fn key(&self) -> Option<ReservationId> {
        Some(self.command.reservation_id())
    }

    fn rows(&self) -> usize {
        1 + match &self.command {
            Command::Reserve { lines, .. } => lines.len(),
            Command::Release { .. } | Command::Commit { .. } => LINES_ASSUMED,
        }
    }

    fn lane(&self) -> Lane {
        match self.command {
            Command::Reserve { .. } => Lane::Accept,
            Command::Release { .. } | Command::Commit { .. } => Lane::Continuation,
        }
    }
}

/// Runs batches of stock commands against a [`StockStore`].
#[derive(Debug)]
pub struct KeeperStore<S> {
    store: S,
}

impl<S: StockStore> KeeperStore<S> {
    async fn run(
        &mut self,
        batch: &[StockEntry],
        attempt: Attempt,
    ) -> Result<Vec<Verdict>, BatchError> {
        let commands = || batch.iter().map(|entry| &entry.command);
        let snapshot = self.store.lock(&Wanted::of(commands()), attempt).await?;
        let (verdicts, changes) = decide_batch(snapshot, commands());
        self.store.write(&changes).await?;
        Ok(verdicts)
    }
}

impl<S: StockStore> BatchStore for KeeperStore<S> {
    type Entry = StockEntry;
    type Answer = Answer;

    async fn commit(
        &mut self,
        batch: &[StockEntry],
        attempt: Attempt,
    ) -> Result<Vec<KitVerdict<Answer>>, BatchError> {
        let traced = |entry: &&StockEntry| entry.trace.is_sampled();
        let batch_span = if batch.iter().any(|entry| traced(&entry)) {
            info_span!(
                parent: None,
                "stock batch",
                otel.status_code = Empty,
                batch.entries = batch.len(),
                batch.attempt = attempt.number,
            )
        } else {
            Span::none()
        };
        // Held until the batch has ended: each order's span lasts as long as its commit did.
        let spans: Vec<Span> = batch
            .iter()
            .filter(traced)
            .map(|entry| {
                let span = self.store.span(entry.command.order_id());
                entry.trace.parent_of(&span);
                TraceContext::of(&batch_span).link_to(&span);
                span
            })
            .collect();
        let written = self.run(batch, attempt).instrument(batch_span.clone());
        let written = written.await;
        if written.is_err() {
            for span in spans.iter().chain([&batch_span]) {
                span.record("otel.status_code", "ERROR");
            }
        }
        Ok(written?
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Decided(answer) => {
                    self.store.decided(&answer);
                    KitVerdict::Done(answer)
                }
                Verdict::Busy => KitVerdict::Busy,
            })
            .collect())
    }
}
