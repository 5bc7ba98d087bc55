//! Events and their headers: writing them, and checking what comes in before anybody handles it.

use actor_kit::TraceContext;
use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use bytes::Bytes;
use uuid::Uuid;

use crate::headers::{AGGREGATE_SEQ, EVENT_ID, SCHEMA_VERSION, TRACEPARENT};
use crate::{ConsumerSpec, DeadLetterReason, InboundEvent, OutboundEvent};

/// The headers of an event that goes to `stream`. `trace` is the publish's own span.
pub(crate) fn headers(event: &OutboundEvent, stream: &str, trace: &TraceContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, event.message_id.to_string());
    headers.insert(NATS_EXPECTED_STREAM, stream);
    headers.insert(EVENT_ID, event.event_id.to_string());
    headers.insert(SCHEMA_VERSION, event.schema_version.to_string());
    headers.insert(AGGREGATE_SEQ, event.aggregate_seq.to_string());
    if let Some(traceparent) = trace.traceparent() {
        headers.insert(TRACEPARENT, traceparent);
    }
    headers
}

/// A message as it came, before any check.
#[derive(Debug, Clone)]
pub(crate) struct RawEvent {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
    pub(crate) delivered: u64,
    /// When the server stored it, in nanoseconds since 1970; only to tell equal messages apart.
    pub(crate) published_ns: i128,
}

impl RawEvent {
    fn header(&self, name: &'static str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Option<T> {
        self.header(name)?.parse().ok()
    }

    pub(crate) fn event_id(&self) -> Option<Uuid> {
        // Only the plain form: one event must not have two spellings.
        let text = self.header(EVENT_ID)?;
        (text.len() == 36)
            .then(|| Uuid::try_parse(text).ok())
            .flatten()
    }

    pub(crate) fn schema_version(&self) -> Option<i32> {
        self.number(SCHEMA_VERSION)
    }

    pub(crate) fn aggregate_seq(&self) -> Option<i64> {
        self.number(AGGREGATE_SEQ)
    }

    /// The trace context; a malformed one is as good as none and no reason to give the event up.
    pub(crate) fn traceparent(&self) -> Option<String> {
        TraceContext::from_traceparent(self.header(TRACEPARENT)?)?.traceparent()
    }

    /// Equal for every copy of the message, also without a readable event id. Not made of the stream's sequence: a server that
    /// lost its store uses those again.
    pub(crate) fn letter_id(&self) -> Uuid {
        self.event_id().unwrap_or_else(|| {
            let stored = self.published_ns.to_be_bytes();
            let name = [self.subject.as_bytes(), &[0], &stored, &self.payload].concat();
            Uuid::new_v5(&Uuid::NAMESPACE_OID, &name)
        })
    }

    /// Checks the envelope. Whatever fails here fails for ever: the event goes to the dead letters.
    ///
    /// # Errors
    /// The reason that goes there with it.
    pub(crate) fn open(&self, spec: &ConsumerSpec) -> Result<InboundEvent, DeadLetterReason> {
        if self.payload.len() > spec.payload_bytes_max {
            return Err(DeadLetterReason::Oversize);
        }
        let event_id = self
            .event_id()
            .ok_or(DeadLetterReason::BadHeader(EVENT_ID))?;
        let schema_version = self
            .schema_version()
            .ok_or(DeadLetterReason::BadHeader(SCHEMA_VERSION))?;
        let aggregate_seq = self
            .aggregate_seq()
            .ok_or(DeadLetterReason::BadHeader(AGGREGATE_SEQ))?;
        if !spec.schema_versions.contains(&schema_version) {
            return Err(DeadLetterReason::UnknownSchemaVersion(schema_version));
        }
        Ok(InboundEvent {
            subject: self.subject.clone(),
            event_id,
            schema_version,
            aggregate_seq,
            traceparent: self.traceparent(),
            payload: self.payload.clone(),
            delivered: self.delivered,
        })
    }
}
