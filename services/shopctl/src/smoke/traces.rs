//! One order is one trace, found by `order.id` in Jaeger's query API.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::shop::Placed;
use super::{Said, text, until};

/// How the gateway calls what places an order; looking at an order later is a trace of its own.
const PLACED: &str = "POST /api/v1/orders";
const SERVICES: [&str; 4] = ["gateway", "orders", "inventory", "payments"];

/// The trace of an order, once all of it has arrived.
pub(super) async fn whole(jaeger: &str, order: &Placed) -> Result<Said<()>> {
    let order_id = order.order_id;
    // {"order.id":"7"}, with what a query string does not take as it is.
    let tags = format!("%7B%22order.id%22%3A%22{order_id}%22%7D");
    let url = format!(
        "{}/api/traces?service=gateway&tags={tags}&lookback=1h&limit=200",
        jaeger.trim_end_matches('/')
    );
    let detail = until(|| async {
        let answer: Value =
            serde_json::from_str(&text::get(&url).await?).context("Jaeger's answer is not JSON")?;
        judge(&answer, &order.trace_id)
    })
    .await?;
    Ok(Said::new((), detail))
}

/// What Jaeger found must be this one trace, with every service and the bus in it.
fn judge(answer: &Value, trace_id: &str) -> Result<String> {
    let traces = answer
        .get("data")
        .and_then(Value::as_array)
        .context("Jaeger's answer has no data")?;
    ensure!(
        !traces.is_empty(),
        "Jaeger knows no trace with this order.id"
    );
    let placed: Vec<&Value> = traces
        .iter()
        .filter(|trace| has_span(trace, PLACED))
        .collect();
    let [trace] = placed.as_slice() else {
        bail!(
            "{} of the {} traces with this order.id have a span `{PLACED}`, one should",
            placed.len(),
            traces.len()
        );
    };
    let id = trace
        .get("traceID")
        .and_then(Value::as_str)
        .unwrap_or_default();
    ensure!(
        trace_id.is_empty() || id == trace_id,
        "the trace is {id}, the order says {trace_id}"
    );
    let spans = trace
        .get("spans")
        .and_then(Value::as_array)
        .context("the trace has no spans")?;
    let mut services = BTreeSet::new();
    let mut published = BTreeSet::new();
    let mut processed = BTreeSet::new();
    for span in spans {
        let process = span
            .get("processID")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let service = trace
            .pointer(&format!("/processes/{process}/serviceName"))
            .and_then(Value::as_str);
        services.extend(service);
        let name = span
            .get("operationName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if tag(span, "messaging.system") == Some("nats") {
            published.extend(name.strip_prefix("publish "));
            processed.extend(name.strip_prefix("process "));
        }
    }
    for service in SERVICES {
        ensure!(
            services.contains(service),
            "{service} has no span in trace {id}; those that have: {services:?}"
        );
    }
    for subject in ["orders.created", "payments.succeeded"] {
        ensure!(
            published.contains(subject),
            "no span `publish {subject}` in trace {id}"
        );
        ensure!(
            processed.contains(subject),
            "no span `process {subject}` in trace {id}"
        );
    }
    Ok(format!("trace {id}, {} spans", spans.len()))
}

fn has_span(trace: &Value, name: &str) -> bool {
    let spans = trace.get("spans").and_then(Value::as_array);
    spans.is_some_and(|spans| {
        let named = |span: &Value| span.get("operationName").and_then(Value::as_str) == Some(name);
        spans.iter().any(named)
    })
}

fn tag<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let tags = span.get("tags")?.as_array()?;
    let tag = tags
        .iter()
        .find(|tag| tag.get("key").and_then(Value::as_str) == Some(key))?;
    tag.get("value")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(services: &[&str]) -> Value {
        let mut processes = serde_json::Map::new();
        let mut spans = Vec::new();
        for service in services {
            processes.insert((*service).to_owned(), json!({ "serviceName": service }));
            spans.push(json!({ "processID": service, "operationName": PLACED, "tags": [] }));
        }
        for name in [
            "publish orders.created",
            "process orders.created",
            "publish payments.succeeded",
            "process payments.succeeded",
        ] {
            let tags = json!([{ "key": "messaging.system", "type": "string", "value": "nats" }]);
            spans.push(json!({ "processID": "orders", "operationName": name, "tags": tags }));
        }
        json!({ "data": [{ "traceID": "abc", "spans": spans, "processes": processes }] })
    }

    #[test]
    fn a_whole_trace_is_one_that_every_service_and_the_bus_are_in() {
        assert_eq!(
            judge(&answer(&SERVICES), "abc").unwrap(),
            "trace abc, 8 spans"
        );
        let missing = judge(&answer(&["gateway", "orders", "inventory"]), "abc").unwrap_err();
        assert!(
            missing.to_string().contains("payments has no span"),
            "{missing}"
        );
        assert!(judge(&answer(&SERVICES), "another").is_err());
        assert!(judge(&json!({ "data": [] }), "abc").is_err());
        let mut looked_at = answer(&SERVICES);
        let look =
            json!({ "traceID": "def", "spans": [{ "operationName": "GET" }], "processes": {} });
        looked_at["data"].as_array_mut().unwrap().push(look);
        assert!(judge(&looked_at, "abc").is_ok());
        let twice = looked_at["data"][0].clone();
        looked_at["data"].as_array_mut().unwrap().push(twice);
        assert!(judge(&looked_at, "abc").is_err());
        let mut deaf = answer(&SERVICES);
        deaf["data"][0]["spans"].as_array_mut().unwrap().pop();
        assert!(
            judge(&deaf, "abc")
                .unwrap_err()
                .to_string()
                .contains("process payments.succeeded")
        );
    }
}
