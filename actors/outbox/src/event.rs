//! The committed event as the outbox table holds it.

use uuid::Uuid;

/// One row of an `outbox` table that waits to be published.
///
/// The row was written in the same transaction as the state change it tells about, so whoever holds an `OutboxEvent` may
/// publish it any number of times: consumers recognise `event_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// UUIDv7, equal for every copy of the event.
    pub event_id: Uuid,
    /// The order the event belongs to; for spans and logs.
    pub order_id: i64,
    /// Version of the sender's row when the event was written. The bus promises no order: receivers compare this.
    pub aggregate_seq: i64,
    /// Subject on the bus, for example `orders.created`.
    pub subject: String,
    /// Version of the payload's schema.
    pub schema_version: i32,
    /// Encoded payload; opaque here.
    pub payload: Vec<u8>,
    /// W3C trace context of the change that wrote the event.
    pub traceparent: Option<String>,
}
