//! Spans and log lines as they are kept, and how OTLP becomes them.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use serde_json::json;

/// A trace's id; printed as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span's id; printed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl std::fmt::Display for SpanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl TraceId {
    /// The id in its bytes; `None` for another length or the id that means "none".
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 16] = bytes.try_into().ok()?;
        id.iter().any(|byte| *byte != 0).then_some(Self(id))
    }

    /// The id in hexadecimal digits; leading zeros may be absent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > 32 {
            return None;
        }
        let number = u128::from_str_radix(text, 16).ok()?;
        Self::of_bytes(&number.to_be_bytes())
    }
}

impl SpanId {
    /// The id in its bytes; `None` for another length or the id that means "none".
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 8] = bytes.try_into().ok()?;
        id.iter().any(|byte| *byte != 0).then_some(Self(id))
    }
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, and lists and maps as JSON.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A fraction.
    Double(f64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
        }
    }
}

/// Named values in the order in which they came.
pub type Attributes = Vec<(String, Value)>;

/// The value of an attribute.
#[must_use]
pub fn get<'a>(attributes: &'a Attributes, key: &str) -> Option<&'a Value> {
    attributes
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

fn json_of(value: Option<&Any>) -> serde_json::Value {
    match value {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        Some(Any::BytesValue(bytes)) => json!(hex(bytes)),
        Some(Any::ArrayValue(list)) => list
            .values
            .iter()
            .map(|item| json_of(item.value.as_ref()))
            .collect(),
        Some(Any::KvlistValue(list)) => list
            .values
            .iter()
            .map(|pair| (pair.key.clone(), json_of(any(pair.value.as_ref()))))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Some(_) | None => serde_json::Value::Null,
    }
}

fn any(value: Option<&AnyValue>) -> Option<&Any> {
    value.and_then(|value| value.value.as_ref())
}

/// A value of the wire.
#[must_use]
pub fn value(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => Value::Text(text),
        Some(Any::BoolValue(value)) => Value::Bool(value),
        Some(Any::IntValue(value)) => Value::Int(value),
        Some(Any::DoubleValue(value)) => Value::Double(value),
        Some(Any::BytesValue(bytes)) => Value::Text(hex(&bytes)),
        None => Value::Text(String::new()),
        rest => Value::Text(json_of(rest.as_ref()).to_string()),
    }
}

/// Attributes of the wire.
#[must_use]
pub fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs
        .into_iter()
        .map(|pair| (pair.key, value(pair.value)))
        .collect()
}

/// Who sent it: the resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// `service.name`.
    pub service: String,
    /// Everything else that the resource says.
    pub attributes: Attributes,
}

impl Process {
    /// The process that a resource describes.
    #[must_use]
    pub fn of(resource: Option<Resource>) -> Arc<Self> {
        let mut attributes = attributes(resource.unwrap_or_default().attributes);
        let named = attributes.iter().position(|(key, _)| key == "service.name");
        let service = named.map_or_else(
            || "unknown_service".to_owned(),
            |index| attributes.remove(index).1.to_string(),
        );
        Arc::new(Self {
            service,
            attributes,
        })
    }

    /// `service.instance.id`; empty when the process does not say.
    #[must_use]
    pub fn instance(&self) -> String {
        get(&self.attributes, "service.instance.id").map_or_else(String::new, Value::to_string)
    }
}

/// What happened within a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// What.
    pub name: String,
    /// More about it.
    pub attributes: Attributes,
}

/// Another span that this one belongs to without being its child.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Its trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Why.
    pub attributes: Attributes,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did not say.
    Unset,
    /// Well.
    Ok,
    /// With an error.
    Error,
}

/// A span.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// The span that caused it.
    pub parent: Option<SpanId>,
    /// What was done.
    pub name: String,
    /// server, client, producer, consumer or internal; empty when it did not say.
    pub kind: &'static str,
    /// Begin, in nanoseconds since 1970.
    pub start_ns: u64,
    /// End, in nanoseconds since 1970.
    pub end_ns: u64,
    /// What it says about itself.
    pub attributes: Attributes,
    /// What happened within.
    pub events: Vec<Event>,
    /// What it belongs to.
    pub links: Vec<Link>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it said about an error.
    pub message: String,
    /// The library that made it.
    pub scope: Arc<str>,
    /// Who sent it.
    pub process: Arc<Process>,
}

fn bytes_of(attributes: &Attributes) -> usize {
    /// A pair's own place in its list, whatever it holds.
    const PAIR_BYTES: usize = size_of::<(String, Value)>();
    attributes
        .iter()
        .map(|(key, value)| {
            let text = match value {
                Value::Text(text) => text.len(),
                Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
            };
            PAIR_BYTES + key.len() + text
        })
        .sum()
}

impl Span {
    /// A span of the wire; `None` without valid ids.
    #[must_use]
    pub fn of(span: otlp::Span, scope: &Arc<str>, process: &Arc<Process>) -> Option<Self> {
        let status = span.status.unwrap_or_default();
        let links = span.links.into_iter().filter_map(|link| {
            Some(Link {
                trace: TraceId::of_bytes(&link.trace_id)?,
                span: SpanId::of_bytes(&link.span_id)?,
                attributes: attributes(link.attributes),
            })
        });
        Some(Self {
            trace: TraceId::of_bytes(&span.trace_id)?,
            id: SpanId::of_bytes(&span.span_id)?,
            parent: SpanId::of_bytes(&span.parent_span_id),
            name: span.name,
            kind: match otlp::span::SpanKind::try_from(span.kind) {
                Ok(otlp::span::SpanKind::Server) => "server",
                Ok(otlp::span::SpanKind::Client) => "client",
                Ok(otlp::span::SpanKind::Producer) => "producer",
                Ok(otlp::span::SpanKind::Consumer) => "consumer",
                Ok(otlp::span::SpanKind::Internal) => "internal",
                Ok(otlp::span::SpanKind::Unspecified) | Err(_) => "",
            },
            start_ns: span.start_time_unix_nano,
            end_ns: span.end_time_unix_nano.max(span.start_time_unix_nano),
            attributes: attributes(span.attributes),
            links: links.collect(),
            events: span
                .events
                .into_iter()
                .map(|event| Event {
                    at_ns: event.time_unix_nano,
                    name: event.name,
                    attributes: attributes(event.attributes),
                })
                .collect(),
            outcome: match otlp::status::StatusCode::try_from(status.code) {
                Ok(otlp::status::StatusCode::Ok) => Outcome::Ok,
                Ok(otlp::status::StatusCode::Error) => Outcome::Error,
                Ok(otlp::status::StatusCode::Unset) | Err(_) => Outcome::Unset,
            },
            message: status.message,
            scope: Arc::clone(scope),
            process: Arc::clone(process),
        })
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let events = self
            .events
            .iter()
            .map(|event| size_of::<Event>() + event.name.len() + bytes_of(&event.attributes));
        let links = self
            .links
            .iter()
            .map(|link| size_of::<Link>() + bytes_of(&link.attributes));
        size_of::<Self>()
            + self.name.len()
            + self.message.len()
            + bytes_of(&self.attributes)
            + events.chain(links).sum::<usize>()
    }
}

/// The name of a scope.
#[must_use]
pub fn scope(scope: Option<InstrumentationScope>) -> Arc<str> {
    scope.unwrap_or_default().name.into()
}

/// A line of a log that belongs to a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Its trace.
    pub trace: TraceId,
    /// Its span, when it was written within one.
    pub span: Option<SpanId>,
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
    /// ERROR, WARN, INFO …
    pub severity: String,
    /// The text.
    pub body: String,
    /// Its fields.
    pub attributes: Attributes,
    /// Who wrote it.
    pub process: Arc<Process>,
}

impl LogLine {
    /// A line of the wire; `None` when it belongs to no trace.
    #[must_use]
    pub fn of(record: LogRecord, process: &Arc<Process>) -> Option<Self> {
        let at_ns = match record.time_unix_nano {
            0 => record.observed_time_unix_nano,
            at_ns => at_ns,
        };
        Some(Self {
            trace: TraceId::of_bytes(&record.trace_id)?,
            span: SpanId::of_bytes(&record.span_id),
            at_ns,
            severity: record.severity_text,
            body: value(record.body).to_string(),
            attributes: attributes(record.attributes),
            process: Arc::clone(process),
        })
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.severity.len() + self.body.len() + bytes_of(&self.attributes)
    }
}
