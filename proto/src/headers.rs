//! Names of message headers and gRPC metadata keys.

/// W3C trace context, in gRPC metadata, HTTP and message headers.
pub const TRACEPARENT: &str = "traceparent";
/// UUIDv7 of an event; equal for every copy of it.
pub const EVENT_ID: &str = "Shopapi-Event-Id";
/// Version of the payload's schema.
pub const SCHEMA_VERSION: &str = "Shopapi-Schema-Version";
/// Version of the sender's row when the event was written.
pub const AGGREGATE_SEQ: &str = "Shopapi-Aggregate-Seq";
