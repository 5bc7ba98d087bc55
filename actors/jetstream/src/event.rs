//! Events as they go onto the bus and come from it.

use actor_kit::Reply;
use bytes::Bytes;
use uuid::Uuid;

/// An event on its way to the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundEvent {
    /// UUIDv7, equal for every copy of the event.
    pub event_id: Uuid,
    /// `Nats-Msg-Id`, the key of the stream's duplicate window. Equal to `event_id` for first publishes and retries; a
    /// deliberate replay needs a new one, because a message id seen inside the window is acknowledged and *not stored*,
    /// even when the first copy is gone.
    pub message_id: Uuid,
    /// The order the event belongs to; for spans and logs.
    pub order_id: i64,
    /// Version of the sender's row when the event was written.
    pub aggregate_seq: i64,
    /// Subject, for example `orders.created`.
    pub subject: String,
    /// Version of the payload's schema.
    pub schema_version: i32,
    /// Encoded payload; opaque here.
    pub payload: Bytes,
    /// W3C trace context of the change that wrote the event.
    pub traceparent: Option<String>,
}

/// An event from the bus whose envelope was checked: all headers were there and readable, the schema version is known,
/// the payload within its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundEvent {
    /// Subject, for example `payments.succeeded`.
    pub subject: String,
    /// Equal for every copy of the event: the key to recognise duplicates by.
    pub event_id: Uuid,
    /// Version of the payload's schema; one of those the consumer said it knows.
    pub schema_version: i32,
    /// Version of the sender's row when the event was written. Later copies may carry lower numbers.
    pub aggregate_seq: i64,
    /// W3C trace context of the publish.
    pub traceparent: Option<String>,
    /// Encoded payload.
    pub payload: Bytes,
    /// How often the bus has delivered this event to this consumer, this time included: 1 for the first.
    pub delivered: u64,
}

/// What became of a delivered event, said by whoever handled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its effect is committed: acknowledge.
    Done,
    /// It has no effect (a duplicate, a stale sequence, a subject of no interest): acknowledge.
    Ignored,
    /// It cannot be handled at the moment (database away, row busy): deliver again later, as often as it takes.
    RetryLater,
    /// It can never be handled (payload does not decode, an impossible value): to the dead letters. The text is kept there.
    Poison(String),
}

/// An event with the port its handler answers through.
///
/// Dropping the port without an answer tells that the handler died with the event in hand: it is delivered again,
/// alone, and goes to the dead letters when that happened too often.
#[derive(Debug)]
pub struct Incoming {
    /// The event.
    pub event: InboundEvent,
    /// Takes the one answer, after the commit (never before).
    pub reply: Reply<Outcome>,
}
