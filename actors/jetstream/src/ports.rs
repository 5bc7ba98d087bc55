//! What the consumer needs from the outside: somebody who handles events, and a table for dead letters.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use actor_kit::{Mailbox, SendError};
use tracing::warn;
use uuid::Uuid;

use crate::{InboundEvent, Incoming, Outcome};

/// Takes fetched batches. At least once: the same event may come any number of times, in any order.
pub trait EventHandler: Send + Sync + 'static {
    /// Hands over everything one fetch brought, at once, so that it can become one database batch. Returns when the batch
    /// is *taken* (waiting here is the back-pressure: nothing more is fetched meanwhile), not when it is handled; each
    /// event is answered through its own port.
    fn deliver(&self, batch: Vec<Incoming>) -> impl Future<Output = ()> + Send;
}

/// Pause before a batch is offered again to an actor that is being restarted; restarts take about as long.
const HANDLER_AWAY_PAUSE: Duration = Duration::from_millis(100);

/// Sends each batch as one message to an actor, waiting for a place in its mailbox and for the actor to be there.
///
/// ```ignore
/// let handler = BatchTo::new(registry.clone(), RegistryMsg::Events);
/// ```
pub struct BatchTo<M> {
    mailbox: Mailbox<M>,
    wrap: fn(Vec<Incoming>) -> M,
}

impl<M> BatchTo<M> {
    /// `wrap` makes the actor's message of a batch.
    pub fn new(mailbox: Mailbox<M>, wrap: fn(Vec<Incoming>) -> M) -> Self {
        Self { mailbox, wrap }
    }
}

impl<M: Send + 'static> EventHandler for BatchTo<M> {
    async fn deliver(&self, batch: Vec<Incoming>) {
        let mut message = (self.wrap)(batch);
        // An actor that is being restarted is waited for: dropping the batch would count as its events' fault.
        while let Err(SendError::Gone(returned) | SendError::Full(returned)) =
            self.mailbox.send(message).await
        {
            warn!(
                mailbox = self.mailbox.name(),
                "the handler of events is away"
            );
            tokio::time::sleep(HANDLER_AWAY_PAUSE).await;
            message = returned;
        }
    }
}

/// Handles each event with one async function, all events of a batch at the same time: their writes meet in the same
/// database batch. A panic in the function costs only its own event. The function opens the event's span itself, for only it
/// can read which order the event is about.
///
/// ```ignore
/// let handler = Each::new(move |event| { let ledger = ledger.clone(); async move { handle(ledger, event).await } });
/// ```
pub struct Each<F> {
    handle: F,
}

impl<F, R> Each<F>
where
    F: Fn(InboundEvent) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    /// `handle` answers after the event's effect is committed.
    pub fn new(handle: F) -> Self {
        Self { handle }
    }
}

impl<F, R> EventHandler for Each<F>
where
    F: Fn(InboundEvent) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    async fn deliver(&self, batch: Vec<Incoming>) {
        for Incoming { event, reply } in batch {
            let handling = (self.handle)(event);
            tokio::spawn(async move { reply.send(handling.await) });
        }
    }
}

/// Why an event was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// A header is missing or unreadable; names it.
    BadHeader(&'static str),
    /// The payload is larger than the consumer accepts.
    Oversize,
    /// The schema version is none of those the consumer knows.
    UnknownSchemaVersion(i32),
    /// The handler said so; its words.
    Poison(String),
    /// The handler died with this event in hand, this often.
    HandlerDied {
        /// How often.
        times: u32,
    },
}

impl DeadLetterReason {
    /// A stable word for metrics and for the `reason` column.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadHeader(_) => "bad_header",
            Self::Oversize => "oversize",
            Self::UnknownSchemaVersion(_) => "unknown_schema_version",
            Self::Poison(_) => "poison",
            Self::HandlerDied { .. } => "handler_died",
        }
    }
}

impl fmt::Display for DeadLetterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadHeader(name) => write!(f, "header {name} is missing or unreadable"),
            Self::Oversize => write!(f, "the payload is too large"),
            Self::UnknownSchemaVersion(version) => write!(f, "schema version {version} is unknown"),
            Self::Poison(reason) => write!(f, "{reason}"),
            Self::HandlerDied { times } => write!(f, "its handler died {times} times"),
        }
    }
}

/// An event that is given up, with all that was readable of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Equal for every copy of the event: its `event_id` where that was readable, else derived from the message itself.
    /// The table's key; a repeated commit changes nothing.
    pub letter_id: Uuid,
    /// Stream it came from.
    pub stream: String,
    /// Durable consumer that gave it up.
    pub consumer: String,
    /// Subject.
    pub subject: String,
    /// Event id, where readable.
    pub event_id: Option<Uuid>,
    /// Schema version, where readable.
    pub schema_version: Option<i32>,
    /// Aggregate sequence, where readable.
    pub aggregate_seq: Option<i64>,
    /// Trace context, where present.
    pub traceparent: Option<String>,
    /// Why it was given up.
    pub reason: DeadLetterReason,
    /// How often it had been delivered.
    pub delivered: u64,
    /// The raw payload, cut off at the consumer's bound.
    pub payload: Vec<u8>,
    /// Length of the whole payload in bytes.
    pub payload_bytes: u64,
}

/// The `dead_letters` table.
pub trait DeadLetterStore: Send + Sync + 'static {
    /// Commits a letter; a letter that is there already is a success. The message is terminated only after this
    /// succeeded.
    ///
    /// # Errors
    /// [`DeadLetterUnavailable`] when it is not certain that the letter is committed: the event is delivered again.
    fn commit(
        &self,
        letter: DeadLetter,
    ) -> impl Future<Output = Result<(), DeadLetterUnavailable>> + Send;
}

/// The letter may not be committed; the text is for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the dead letter cannot be committed: {0}")]
pub struct DeadLetterUnavailable(pub String);

#[cfg(test)]
mod tests {
    use actor_kit::tree::{ChildSpec, Tree};
    use actor_kit::{Actor, ActorError, Answer, AskError, Ctx, Reply};
    use bytes::Bytes;

    use super::*;

    fn incoming(n: u128) -> (Incoming, Answer<Outcome>) {
        let (reply, answer) = Reply::channel();
        let event = InboundEvent {
            subject: "s.a".to_owned(),
            event_id: Uuid::from_u128(n),
            schema_version: 1,
            aggregate_seq: 1,
            traceparent: None,
            payload: Bytes::new(),
            delivered: 1,
        };
        (Incoming { event, reply }, answer)
    }

    #[tokio::test]
    async fn a_panic_while_handling_costs_only_its_own_event() {
        let handler = Each::new(async |event: InboundEvent| {
            assert!(event.event_id.as_u128() != 1, "scripted");
            Outcome::Done
        });
        let ((poison, died), (fine, answered)) = (incoming(1), incoming(2));
        handler.deliver(vec![poison, fine]).await;
        assert_eq!(died.await, Err(AskError::Gone));
        assert_eq!(answered.await, Ok(Outcome::Done));
    }

    struct Handler;

    impl Actor for Handler {
        type Msg = Vec<Incoming>;

        async fn handle(&mut self, _: &Ctx<Self>, batch: Vec<Incoming>) -> Result<(), ActorError> {
            for Incoming { reply, .. } in batch {
                reply.send(Outcome::Done);
            }
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_an_actor_that_is_being_restarted() {
        let mailbox = Mailbox::new("handler", 1);
        let handler = BatchTo::new(mailbox.clone(), |batch| batch);
        let (event, answered) = incoming(1);
        let delivering = tokio::spawn(async move { handler.deliver(vec![event]).await });
        tokio::time::sleep(HANDLER_AWAY_PAUSE * 5).await;
        assert!(!delivering.is_finished());
        let child = ChildSpec::new("handler", "answers", &mailbox, || Handler);
        let tree = Tree::new("test").child(child).start().await.unwrap();
        assert_eq!(answered.await, Ok(Outcome::Done));
        delivering.await.unwrap();
        tree.stop(HANDLER_AWAY_PAUSE).await;
    }
}
