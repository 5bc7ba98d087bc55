//! What the drainer needs from the outside: rows, a bus, and somebody who writes down what was published.

use std::future::Future;
use std::time::Duration;

use actor_kit::{Mailbox, Reply};
use uuid::Uuid;

use crate::OutboxEvent;

/// One claim: the rows the drainer asks the store for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// At most this many rows.
    pub rows_max: usize,
    /// Only rows at least this old by the database's clock: younger ones come by the in-memory hand-over.
    pub min_age: Duration,
    /// How long the claimed rows are ours (`claimed_until = now() + lease`, database time). Nobody else claims them meanwhile.
    pub lease: Duration,
}

/// The outbox table, read through a connection of its own.
///
/// `claim` is one autocommit statement of this shape, so that it holds no lock while somebody waits:
///
/// ```sql
/// UPDATE outbox SET claimed_until = now() + $lease
/// WHERE event_id IN (SELECT event_id FROM outbox
///                    WHERE published_at IS NULL AND created_at < now() - $min_age
///                      AND (claimed_until IS NULL OR claimed_until < now())
///                    ORDER BY created_at LIMIT $rows_max FOR NO KEY UPDATE SKIP LOCKED)
/// RETURNING event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent
/// ```
///
/// Order of the rows is a courtesy, not a promise: a row that commits late is found by a later claim.
pub trait OutboxStore: Send + Sync + 'static {
    /// Claims unpublished rows.
    ///
    /// # Errors
    /// [`StoreUnavailable`] when the database cannot be asked; the drainer asks again with backoff.
    fn claim(
        &self,
        claim: Claim,
    ) -> impl Future<Output = Result<Vec<OutboxEvent>, StoreUnavailable>> + Send;
}

/// The database did not answer; the text is for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the outbox cannot be read: {0}")]
pub struct StoreUnavailable(pub String);

/// How one publish ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome {
    /// The bus holds the event, now or since an earlier attempt.
    Published,
    /// The bus is away or does not answer: says nothing about this event. The drainer pauses and tries with one event.
    Unavailable,
    /// The bus refused this very event; it is retried with backoff while its neighbours go on. The text is for the log.
    Refused(String),
}

/// The bus, reached through the mailbox of an actor that publishes.
///
/// A service implements this in a few lines over the `jetstream` publisher; a test over a probe.
pub trait EventPublisher: Send + 'static {
    /// Message of the publishing actor.
    type Msg: Send + 'static;
    /// Its answer to one publish.
    type Answer: Send + 'static;

    /// Where the publishing actor is reached.
    fn mailbox(&self) -> &Mailbox<Self::Msg>;
    /// Wraps one event and its answer port into the actor's message.
    fn message(event: OutboxEvent, reply: Reply<Self::Answer>) -> Self::Msg;
    /// Reads the actor's answer.
    fn outcome(answer: Self::Answer) -> PublishOutcome;
}

/// Whoever writes `published_at`: in the services a lazy entry of the batch writer.
pub trait PublishedMarks: Send + 'static {
    /// Hands over a group of published events without waiting. `false` means "not taken": the same ids come again, with
    /// others. A mark that is lost after `true` is healed by a later claim.
    fn mark(&mut self, event_ids: &[Uuid]) -> bool;
}
