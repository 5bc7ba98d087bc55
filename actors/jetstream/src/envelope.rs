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

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn outbound() -> OutboundEvent {
        OutboundEvent {
            event_id: Uuid::from_u128(1),
            message_id: Uuid::from_u128(2),
            order_id: 7,
            aggregate_seq: -3,
            subject: "orders.created".to_owned(),
            schema_version: 1,
            payload: Bytes::from_static(b"payload"),
            traceparent: None,
        }
    }

    fn raw() -> RawEvent {
        let trace = TraceContext::from_traceparent(TRACE).unwrap();
        RawEvent {
            subject: "orders.created".to_owned(),
            headers: headers(&outbound(), "ORDERS", &trace),
            payload: Bytes::from_static(b"payload"),
            delivered: 4,
            published_ns: 99,
        }
    }

    fn spec() -> ConsumerSpec {
        ConsumerSpec {
            payload_bytes_max: 10,
            schema_versions: vec![1, 3],
            ..ConsumerSpec::new("ORDERS", "payments")
        }
    }

    #[test]
    fn what_the_headers_say_comes_out_as_it_went_in() {
        let event = raw().open(&spec()).unwrap();
        assert_eq!(
            event,
            InboundEvent {
                subject: "orders.created".to_owned(),
                event_id: Uuid::from_u128(1),
                schema_version: 1,
                aggregate_seq: -3,
                traceparent: Some(TRACE.to_owned()),
                payload: Bytes::from_static(b"payload"),
                delivered: 4,
            }
        );
        assert_eq!(
            raw().headers.get(NATS_MESSAGE_ID).unwrap().as_str(),
            Uuid::from_u128(2).to_string()
        );
    }

    #[test]
    fn a_missing_or_unreadable_header_is_named() {
        let id = Uuid::from_u128(1);
        let table: [(&str, &[&str]); 3] = [
            (
                EVENT_ID,
                &[
                    "",
                    "1",
                    "not an id",
                    &id.simple().to_string(),
                    &id.urn().to_string(),
                ],
            ),
            (SCHEMA_VERSION, &["", "one", "1.0", "99999999999"]),
            (AGGREGATE_SEQ, &["", "x", "99999999999999999999"]),
        ];
        for (name, values) in table {
            for value in values {
                let mut raw = raw();
                raw.headers.insert(name, *value);
                let reason = raw.open(&spec()).unwrap_err();
                assert!(
                    matches!(reason, DeadLetterReason::BadHeader(bad) if bad == name),
                    "{name}: {value}: {reason:?}"
                );
            }
            let mut raw = raw();
            raw.headers = raw
                .headers
                .iter()
                .filter(|(key, _)| key.to_string() != name)
                .fold(HeaderMap::new(), |mut rest, (key, values)| {
                    for value in values {
                        rest.append(key.clone(), value.clone());
                    }
                    rest
                });
            assert!(
                matches!(raw.open(&spec()), Err(DeadLetterReason::BadHeader(bad)) if bad == name)
            );
        }
    }

    #[test]
    fn unknown_versions_and_large_payloads_are_given_up() {
        let mut unknown = raw();
        unknown.headers.insert(SCHEMA_VERSION, "2");
        assert_eq!(
            unknown.open(&spec()),
            Err(DeadLetterReason::UnknownSchemaVersion(2))
        );
        let mut large = raw();
        large.payload = Bytes::from_static(b"01234567890");
        assert_eq!(large.open(&spec()), Err(DeadLetterReason::Oversize));
    }

    #[test]
    fn a_malformed_trace_context_costs_only_the_trace() {
        for bad in ["", "00-zz-zz-01", "x"] {
            let mut raw = raw();
            raw.headers.insert(TRACEPARENT, bad);
            assert_eq!(raw.open(&spec()).unwrap().traceparent, None);
        }
    }

    #[test]
    fn a_letter_has_the_same_id_for_every_copy_of_its_event() {
        assert_eq!(raw().letter_id(), Uuid::from_u128(1));
        let mut nameless = raw();
        nameless.headers = HeaderMap::new();
        let again = RawEvent {
            delivered: 9,
            ..nameless.clone()
        };
        assert_eq!(nameless.letter_id(), again.letter_id());
        let other = RawEvent {
            published_ns: 100,
            ..nameless.clone()
        };
        assert_ne!(nameless.letter_id(), other.letter_id());
    }
}
