//! Headers of an event, beside NATS' own `Nats-Msg-Id` and `Nats-Expected-Stream`. The payload is opaque here.

/// UUIDv7 of the event; equal for every copy of it.
pub const EVENT_ID: &str = "Shopapi-Event-Id";
/// Version of the payload's schema.
pub const SCHEMA_VERSION: &str = "Shopapi-Schema-Version";
/// Version of the sender's row when the event was written.
pub const AGGREGATE_SEQ: &str = "Shopapi-Aggregate-Seq";
/// W3C trace context of the publish.
pub const TRACEPARENT: &str = "traceparent";
