//! The writer actor around [`Queue`] and a [`BatchStore`].

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::flight::{Batch, Ticket, Waiting};
use super::queue::Queue;
use super::{
    BatchEntry as _, BatchError, BatchLimits, BatchStore, OwnMsg, Verdict, WriteError, WriteResult,
    WriterMsg,
};
use crate::actor::{Actor, ActorError, Ctx, SelfRef, without_text};
use crate::backoff::Backoff;
use crate::metrics::WriterMetrics;
use crate::reply::Reply;
use crate::timer::{Generation, Timer};

/// Pause before a batch is repeated, and before entries whose rows were busy are tried again.
const REPEAT_BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(5),
    cap: Duration::from_millis(500),
};

/// How long a stopping writer goes on with what waits; the platform's patience is 10 s for the whole tree.
const FLUSH_DEADLINE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) enum Own {
    /// Everything that was in the mailbox ahead of this has been appended: start a batch.
    Flush,
    /// The running batch has ended.
    BatchDone,
    /// A pause is over.
    PauseElapsed(Generation),
    /// Nothing came for lazy entries to ride on.
    LazyElapsed(Generation),
}

struct Finished<S: BatchStore> {
    store: S,
    batch: Batch<S::Entry, S::Answer>,
    result: Result<Vec<Verdict<S::Answer>>, BatchError>,
}

/// The group-commit writer over a store: see the module.
pub struct BatchWriter<S: BatchStore> {
    limits: BatchLimits,
    /// Absent while a batch runs.
    store: Option<S>,
    running: Option<JoinHandle<Finished<S>>>,
    queue: Queue<Waiting<S::Entry, S::Answer>>,
    /// Batches that must go as they are: repeats and halves.
    again: VecDeque<Batch<S::Entry, S::Answer>>,
    flush_queued: bool,
    lazy_due: bool,
    pause: Timer,
    lazy: Timer,
    /// Batches in a row in which every entry was busy: the exponent of the pause.
    busy_in_a_row: u32,
    /// Absent before the first batch.
    metrics: Option<WriterMetrics>,
}

impl<S: BatchStore> fmt::Debug for BatchWriter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchWriter")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<S: BatchStore> BatchWriter<S> {
    /// A writer with an empty queue.
    #[must_use]
    pub fn new(store: S, limits: BatchLimits) -> Self {
        Self {
            limits,
            store: Some(store),
            running: None,
            queue: Queue::default(),
            again: VecDeque::new(),
            flush_queued: false,
            lazy_due: false,
            pause: Timer::default(),
            lazy: Timer::default(),
            busy_in_a_row: 0,
            metrics: None,
        }
    }

    fn on_submit(
        &mut self,
        ctx: &Ctx<Self>,
        entry: S::Entry,
        reply: Option<Reply<WriteResult<S::Answer>>>,
    ) {
        let permit = ctx.take_permit();
        self.queue.push(Waiting {
            entry,
            ticket: Ticket { reply, permit },
        });
        if self.running.is_some() || self.flush_queued || self.pause.is_armed() {
            return;
        }
        if self.queue.has_urgent() {
            // Behind what is already in the mailbox, so that all of it joins the batch.
            self.flush_queued = true;
            own(&ctx.me().untraced(), Own::Flush);
        } else if !self.lazy.is_armed() {
            self.lazy.arm(ctx, self.limits.lazy_idle, |generation| {
                WriterMsg::Own(OwnMsg(Own::LazyElapsed(generation)))
            });
        }
    }

    /// Starts the next batch when there is one and none runs.
    fn pump(&mut self, ctx: &Ctx<Self>) {
        if self.running.is_some() || self.pause.is_armed() {
            return;
        }
        let batch = if let Some(batch) = self.again.pop_front() {
            batch
        } else if self.queue.has_urgent() || (self.lazy_due && self.queue.has_lazy()) {
            self.lazy.cancel();
            let batch = self.queue.take_batch(&self.limits);
            // What did not fit, such as a second entry of one aggregate, has waited long enough too.
            self.lazy_due &= self.queue.has_lazy();
            Batch::new(batch)
        } else {
            if self.queue.has_lazy() && !self.lazy.is_armed() {
                self.lazy.arm(ctx, self.limits.lazy_idle, |generation| {
                    WriterMsg::Own(OwnMsg(Own::LazyElapsed(generation)))
                });
            }
            return;
        };
        let Some(mut store) = self.store.take() else {
            // Unreachable while nothing runs; the entries learn that they were not written.
            batch.refuse(WriteError::Unavailable);
            return;
        };
        let done = TellDone(ctx.me().untraced());
        let metrics = self
            .metrics
            .get_or_insert_with(|| WriterMetrics::new(ctx.name()))
            .clone();
        self.running = Some(tokio::spawn(async move {
            let _done = done;
            let began = Instant::now();
            let result = store.commit(&batch.entries, batch.attempt).await;
            metrics.batch(batch.entries.len(), began.elapsed());
            Finished {
                store,
                batch,
                result,
            }
        }));
    }

    /// Settles an ended batch. `Some(pause)` asks for a pause before the next one.
    fn settle(&mut self, finished: Finished<S>) -> Option<Duration> {
        let Finished {
            store,
            batch,
            result,
        } = finished;
        self.store = Some(store);
        match result {
            Ok(verdicts) => self.settle_verdicts(batch, verdicts),
            Err(BatchError::Data(error)) => {
                self.settle_refused(batch, &error);
                None
            }
            Err(BatchError::Retry(error)) => self.repeat(batch, &error, false),
            Err(BatchError::Unknown(error)) => self.repeat(batch, &error, true),
            Err(BatchError::Disconnected(error)) => {
                if batch.attempt.maybe_committed {
                    return self.repeat(batch, &error, true);
                }
                tracing::warn!(
                    error,
                    entries = batch.entries.len(),
                    "no connection for a batch"
                );
                batch.refuse(WriteError::Unavailable);
                None
            }
        }
    }

    fn settle_verdicts(
        &mut self,
        batch: Batch<S::Entry, S::Answer>,
        verdicts: Vec<Verdict<S::Answer>>,
    ) -> Option<Duration> {
        if verdicts.len() != batch.entries.len() {
            tracing::error!(
                entries = batch.entries.len(),
                verdicts = verdicts.len(),
                "the store answered another number of entries than it was given"
            );
            batch.refuse(WriteError::Unavailable);
            return None;
        }
        let mut busy = Vec::new();
        let mut done = 0_usize;
        for ((entry, ticket), verdict) in batch.entries.into_iter().zip(batch.tickets).zip(verdicts)
        {
            match verdict {
                Verdict::Done(answer) => {
                    done += 1;
                    ticket.answer(Ok(answer));
                }
                // Nothing was written and nobody asks any more: a row that stays busy must not fill the mailbox.
                Verdict::Busy if ticket.is_abandoned() => {}
                Verdict::Busy => busy.push(Waiting { entry, ticket }),
            }
        }
        let all_busy = done == 0 && !busy.is_empty();
        self.queue.push_front(busy);
        if all_busy {
            self.busy_in_a_row += 1;
            return Some(REPEAT_BACKOFF.jittered(self.busy_in_a_row));
        }
        self.busy_in_a_row = 0;
        None
    }

    fn settle_refused(&mut self, batch: Batch<S::Entry, S::Answer>, error: &str) {
        if batch.entries.len() <= 1 {
            tracing::error!(error, "the database refused an entry");
            batch.refuse(WriteError::Poisoned);
            return;
        }
        tracing::warn!(
            error,
            entries = batch.entries.len(),
            "batch halved: the database refused data"
        );
        for half in batch.halves().into_iter().rev() {
            self.again.push_front(half);
        }
    }

    fn repeat(
        &mut self,
        mut batch: Batch<S::Entry, S::Answer>,
        error: &str,
        maybe_committed: bool,
    ) -> Option<Duration> {
        let since = *batch.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.limits.repeat_for {
            tracing::error!(error, entries = batch.entries.len(), "batch given up");
            batch.refuse(WriteError::Unavailable);
            return None;
        }
        tracing::warn!(
            error,
            attempt = batch.attempt.number,
            "batch will be repeated"
        );
        let pause = REPEAT_BACKOFF.jittered(batch.attempt.number);
        batch.attempt.number += 1;
        batch.attempt.maybe_committed |= maybe_committed;
        self.again.push_front(batch);
        Some(pause)
    }

    async fn on_batch_done(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        if let Some(running) = self.running.take() {
            // A panic of the store is a crash of the writer: the connection's state is anyone's guess.
            let finished = running.await.map_err(without_text)?;
            if let Some(pause) = self.settle(finished) {
                self.pause.arm(ctx, pause, |generation| {
                    WriterMsg::Own(OwnMsg(Own::PauseElapsed(generation)))
                });
            }
        }
        self.pump(ctx);
        Ok(())
    }
}

impl<S: BatchStore> Actor for BatchWriter<S> {
    type Msg = WriterMsg<S::Entry, S::Answer>;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: Self::Msg) -> Result<(), ActorError> {
        match message {
            WriterMsg::Submit { entry, reply } => self.on_submit(ctx, entry, reply),
            WriterMsg::Own(OwnMsg(Own::Flush)) => {
                self.flush_queued = false;
                self.pump(ctx);
            }
            WriterMsg::Own(OwnMsg(Own::BatchDone)) => self.on_batch_done(ctx).await?,
            WriterMsg::Own(OwnMsg(Own::PauseElapsed(generation))) => {
                if self.pause.is_current(generation) {
                    self.pump(ctx);
                }
            }
            WriterMsg::Own(OwnMsg(Own::LazyElapsed(generation))) => {
                if self.lazy.is_current(generation) {
                    self.lazy_due = true;
                    self.pump(ctx);
                }
            }
        }
        Ok(())
    }

    /// Finishes what was taken on, within a bound: callers have answers, and lazy marks save work to the next process.
    async fn stopping(&mut self, _: &Ctx<Self>) {
        let flush = async {
            if let Some(running) = self.running.take() {
                match running.await {
                    Ok(finished) => {
                        let pause = self.settle(finished);
                        tokio::time::sleep(pause.unwrap_or_default()).await;
                    }
                    Err(_) => return,
                }
            }
            while let Some(mut store) = self.store.take() {
                let batch = match self.again.pop_front() {
                    Some(batch) => batch,
                    None if self.queue.is_empty() => return,
                    None => Batch::new(self.queue.take_batch(&self.limits)),
                };
                let result = store.commit(&batch.entries, batch.attempt).await;
                let pause = self.settle(Finished {
                    store,
                    batch,
                    result,
                });
                tokio::time::sleep(pause.unwrap_or_default()).await;
            }
        };
        if tokio::time::timeout(FLUSH_DEADLINE, flush).await.is_err() {
            tracing::warn!("writer stopped before everything that waited was written");
        }
    }

    fn order_of(&self, message: &Self::Msg) -> Option<i64> {
        match message {
            WriterMsg::Submit { entry, .. } => entry.order_id(),
            WriterMsg::Own(_) => None,
        }
    }

    fn message_name(message: &Self::Msg) -> &'static str {
        match message {
            WriterMsg::Submit { .. } => "Submit",
            WriterMsg::Own(_) => "Own",
        }
    }
}

fn own<E: Send + 'static, A: Send + 'static>(me: &SelfRef<WriterMsg<E, A>>, message: Own) {
    me.send(WriterMsg::Own(OwnMsg(message)));
}

/// Tells of the end of a batch's task, a panic included.
struct TellDone<E: Send + 'static, A: Send + 'static>(SelfRef<WriterMsg<E, A>>);

impl<E: Send + 'static, A: Send + 'static> Drop for TellDone<E, A> {
    fn drop(&mut self) {
        own(&self.0, Own::BatchDone);
    }
}
