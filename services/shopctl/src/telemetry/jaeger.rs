//! Traces in the JSON of Jaeger's query API, and its query parameters.
//!
//! Shapes and tag names are those that Jaeger itself makes of OTLP (`span.kind`, `otel.status_code`, `error`, `event`), so that a script written against
//! this stand-in works against the real one. One thing is more: a search need not name a service.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::model::{Attributes, LogLine, Outcome, Process, Span, TraceId, Value};
use super::store::{Search, Trace};

/// Traces in an answer when the question does not say: as Jaeger's own page asks for.
const LIMIT_DEFAULT: usize = 20;
/// Traces in an answer at most: an answer stays below some tens of megabytes.
const LIMIT_MAX: usize = 1_500;

/// The answer around data.
#[must_use]
pub fn answer(data: &[Json]) -> Json {
    let total = data.len();
    json!({ "data": data, "total": total, "limit": 0, "offset": 0, "errors": null })
}

/// The answer to a question that has none.
#[must_use]
pub fn refusal(code: u16, text: &str) -> Json {
    json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": [{ "code": code, "msg": text }] })
}

fn tag(key: &str, value: &Value) -> Json {
    match value {
        Value::Text(text) => json!({ "key": key, "type": "string", "value": text }),
        Value::Bool(value) => json!({ "key": key, "type": "bool", "value": value }),
        Value::Int(value) => json!({ "key": key, "type": "int64", "value": value }),
        Value::Double(value) => json!({ "key": key, "type": "float64", "value": value }),
    }
}

fn text_tag(key: &str, text: &str) -> Json {
    tag(key, &Value::Text(text.to_owned()))
}

fn tags(attributes: &Attributes) -> Vec<Json> {
    attributes
        .iter()
        .map(|(key, value)| tag(key, value))
        .collect()
}

fn span_tags(span: &Span) -> Vec<Json> {
    let mut all = tags(&span.attributes);
    if !span.scope.is_empty() {
        all.push(text_tag("otel.scope.name", &span.scope));
    }
    if !span.kind.is_empty() {
        all.push(text_tag("span.kind", span.kind));
    }
    match span.outcome {
        Outcome::Unset => {}
        Outcome::Ok => all.push(text_tag("otel.status_code", "OK")),
        Outcome::Error => {
            all.push(text_tag("otel.status_code", "ERROR"));
            all.push(tag("error", &Value::Bool(true)));
        }
    }
    if !span.message.is_empty() {
        all.push(text_tag("otel.status_description", &span.message));
    }
    all
}

fn references(span: &Span) -> Vec<Json> {
    let parent = span.parent.map(|parent| {
        json!({ "refType": "CHILD_OF", "traceID": span.trace.to_string(), "spanID": parent.to_string() })
    });
    let links = span.links.iter().map(|link| {
        json!({ "refType": "FOLLOWS_FROM", "traceID": link.trace.to_string(), "spanID": link.span.to_string() })
    });
    parent.into_iter().chain(links).collect()
}

fn span_json(span: &Span, process: &str) -> Json {
    let logs = span.events.iter().map(|event| {
        let mut fields = vec![text_tag("event", &event.name)];
        fields.extend(tags(&event.attributes));
        json!({ "timestamp": event.at_ns / 1_000, "fields": fields })
    });
    json!({
        "traceID": span.trace.to_string(),
        "spanID": span.id.to_string(),
        "operationName": span.name,
        "references": references(span),
        "startTime": span.start_ns / 1_000,
        "duration": (span.end_ns - span.start_ns) / 1_000,
        "tags": span_tags(span),
        "logs": logs.collect::<Vec<_>>(),
        "processID": process,
        "warnings": null,
    })
}

/// A trace.
#[must_use]
pub fn trace(id: TraceId, trace: &Trace) -> Json {
    let mut names: HashMap<*const Process, String> = HashMap::new();
    let mut known: Vec<(&Arc<Process>, String)> = Vec::new();
    let mut spans: Vec<&Span> = trace.spans.iter().collect();
    spans.sort_by_key(|span| span.start_ns);
    let spans: Vec<Json> = spans
        .into_iter()
        .map(|span| {
            // The same process in another export is another allocation with the same content.
            let name = names
                .entry(Arc::as_ptr(&span.process))
                .or_insert_with(|| {
                    let same = known.iter().find(|(process, _)| **process == span.process);
                    if let Some((_, name)) = same {
                        return name.clone();
                    }
                    let name = format!("p{}", known.len() + 1);
                    known.push((&span.process, name.clone()));
                    name
                })
                .clone();
            span_json(span, &name)
        })
        .collect();
    let processes: serde_json::Map<String, Json> = known
        .into_iter()
        .map(|(process, name)| {
            let about =
                json!({ "serviceName": process.service, "tags": tags(&process.attributes) });
            (name, about)
        })
        .collect();
    json!({ "traceID": id.to_string(), "spans": spans, "processes": processes, "warnings": null })
}

/// A trace in one line of a list.
#[must_use]
pub fn summary(id: TraceId, trace: &Trace) -> Json {
    let mut services: Vec<(&str, usize)> = Vec::new();
    for span in &trace.spans {
        let name = span.process.service.as_str();
        match services.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => services.push((name, 1)),
        }
    }
    let failed = |span: &&Span| span.outcome == Outcome::Error;
    json!({
        "traceID": id.to_string(),
        "name": trace.root().map(|root| root.name.as_str()),
        "service": trace.root().map(|root| root.process.service.as_str()),
        "startTime": trace.start_ns() / 1_000,
        "duration": (trace.end_ns() - trace.start_ns()) / 1_000,
        "spans": trace.spans.len(),
        "errors": trace.spans.iter().filter(failed).count(),
        "services": services.into_iter().map(|(name, spans)| json!({ "name": name, "spans": spans })).collect::<Vec<_>>(),
        "orders": trace.orders(),
    })
}

/// A log line.
#[must_use]
pub fn line(line: &LogLine) -> Json {
    json!({
        "at": line.at_ns / 1_000,
        "spanID": line.span.map(|span| span.to_string()),
        "service": line.process.service,
        "severity": line.severity,
        "body": line.body,
        "fields": tags(&line.attributes),
    })
}

/// The query parameters of `/api/traces`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Query {
    service: Option<String>,
    operation: Option<String>,
    /// A JSON object of texts: `{"order.id":"7"}`.
    tags: Option<String>,
    /// `key:value`, once.
    tag: Option<String>,
    /// Microseconds since 1970.
    start: Option<u64>,
    /// Microseconds since 1970.
    end: Option<u64>,
    /// `1h`: so far back from now, unless `start` says.
    lookback: Option<String>,
    /// `1.5ms`.
    min_duration: Option<String>,
    max_duration: Option<String>,
    limit: Option<usize>,
}

impl Query {
    /// What is looked for, `now_ns` being the present.
    ///
    /// # Errors
    /// The parameter that does not parse, in words for who asked.
    pub fn search(self, now_ns: u64) -> Result<Search, String> {
        let ns = |name: &str, text: Option<String>| match text.filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => match duration(&text) {
                Some(duration) => Ok(u64::try_from(duration.as_nanos()).ok()),
                None => Err(format!("{name}={text}: say for example 1.5ms, 20s or 2h")),
            },
        };
        // Jaeger's page says `custom` beside `start` and `end`.
        let lookback = self.lookback.filter(|text| text != "custom");
        let back = ns("lookback", lookback)?.map(|back| now_ns.saturating_sub(back));
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Search {
            service: filled(self.service),
            operation: filled(self.operation).filter(|name| name != "all"),
            tags: tags_wanted(self.tags, self.tag)?,
            start_min_ns: self.start.map(|start| start.saturating_mul(1_000)).or(back),
            start_max_ns: self.end.map(|end| end.saturating_mul(1_000)),
            duration_min_ns: ns("minDuration", self.min_duration)?,
            duration_max_ns: ns("maxDuration", self.max_duration)?,
            limit: self.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX),
        })
    }
}

fn tags_wanted(
    object: Option<String>,
    pair: Option<String>,
) -> Result<Vec<(String, String)>, String> {
    let mut wanted = Vec::new();
    if let Some(object) = object.filter(|text| !text.is_empty()) {
        let parsed: serde_json::Map<String, Json> = serde_json::from_str(&object)
            .map_err(|_| format!("tags={object}: say a JSON object, {{\"order.id\":\"7\"}}"))?;
        wanted.extend(parsed.into_iter().map(|(key, value)| match value {
            Json::String(text) => (key, text),
            other => (key, other.to_string()),
        }));
    }
    if let Some(pair) = pair.filter(|text| !text.is_empty()) {
        let (key, value) = pair
            .split_once(':')
            .ok_or_else(|| format!("tag={pair}: say key:value"))?;
        wanted.push((key.to_owned(), value.to_owned()));
    }
    Ok(wanted)
}

/// `1.5ms`, `20s`, `2h`, `1d`.
fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|letter: char| letter.is_alphabetic() || letter == 'µ')?;
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::super::store::{Limits, Store};
    use super::super::testing::{span, trace_id};
    use super::*;

    #[test]
    fn a_trace_has_jaegers_shape() {
        let mut store = Store::new(Limits::default());
        let post = span(1, 1).named("POST /api/v1/orders", "server");
        store.add_span(post.service("gateway").at(1_000_000, 9_000_000).build());
        let commit = span(1, 2).named("commit", "client").parent(1).link(2, 7);
        let commit = commit.at(2_000_000, 5_000_000).int("order.id", 7);
        let commit = commit.event(3_000_000, "already_paid_skipped");
        store.add_span(commit.failed("connection lost").build());

        let shown = trace(trace_id(1), store.get(trace_id(1)).unwrap());

        let golden: Json = serde_json::from_str(include_str!("golden_trace.json")).unwrap();
        assert_eq!(shown, golden);
    }

    #[test]
    fn questions_are_asked_in_jaegers_words() {
        let query = Query {
            service: Some("orders".to_owned()),
            operation: Some("all".to_owned()),
            tags: Some(r#"{"order.id":"7","attempt":2}"#.to_owned()),
            tag: Some("error:true".to_owned()),
            lookback: Some("1h".to_owned()),
            min_duration: Some("1.5ms".to_owned()),
            limit: Some(9_999),
            ..Query::default()
        };
        let search = query.search(3_600_000_000_005).unwrap();
        assert_eq!(search.operation, None);
        let pairs: Vec<(&str, &str)> = search
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [("attempt", "2"), ("order.id", "7"), ("error", "true")]
        );
        assert_eq!(search.start_min_ns, Some(5));
        assert_eq!(search.duration_min_ns, Some(1_500_000));
        assert_eq!(search.limit, LIMIT_MAX);
    }

    #[test]
    fn an_absolute_begin_wins_over_a_lookback() {
        let query = Query {
            lookback: Some("custom".to_owned()),
            start: Some(2),
            end: Some(3),
            ..Query::default()
        };
        let search = query.search(u64::MAX).unwrap();
        assert_eq!(
            (search.start_min_ns, search.start_max_ns),
            (Some(2_000), Some(3_000))
        );
    }

    #[test]
    fn what_does_not_parse_is_named() {
        let text = |query: Query| query.search(0).unwrap_err();
        let tags = Query {
            tags: Some("order.id=7".to_owned()),
            ..Query::default()
        };
        assert!(text(tags).starts_with("tags=order.id=7: say a JSON object"));
        let duration = Query {
            max_duration: Some("soon".to_owned()),
            ..Query::default()
        };
        assert_eq!(
            text(duration),
            "maxDuration=soon: say for example 1.5ms, 20s or 2h"
        );
    }
}
