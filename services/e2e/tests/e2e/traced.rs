//! A stack whose telemetry goes to a receiver of the test.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use shopapi_telemetry::testing::{Manner, ReceivedSpan, Receiver};

use crate::world::World;

/// Telemetry leaves within a second; the rest is a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A stack and its receiver.
pub(crate) struct Traced {
    pub(crate) world: World,
    pub(crate) receiver: Receiver,
}

impl Traced {
    pub(crate) async fn start(replicas: usize) -> Self {
        Self::start_with(replicas, &[]).await
    }

    /// With more environment for the services.
    pub(crate) async fn start_with(replicas: usize, more: &[(&str, &str)]) -> Self {
        let receiver = Receiver::start(Manner::Prompt).await.unwrap();
        let endpoint = receiver.endpoint();
        let mut env = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "300"),
        ];
        env.extend(more);
        Self {
            world: World::start_replicas(replicas, &env).await,
            receiver,
        }
    }

    /// The trace of an order, as its JSON names it.
    pub(crate) async fn trace(&self, order_id: i64) -> Trace {
        let order = self.world.get(order_id).await;
        let trace_id = order["trace_id"].as_str().unwrap().to_owned();
        Trace::of(&self.receiver, trace_id)
    }

    /// Waits until the order's trace has all of these edges.
    pub(crate) async fn trace_with(&self, order_id: i64, edges: &[(&str, &str)]) -> Trace {
        let began = Instant::now();
        loop {
            let trace = self.trace(order_id).await;
            let seen = trace.edges();
            let missing: Vec<_> = edges
                .iter()
                .filter(|(parent, child)| {
                    !seen.contains(&((*parent).to_owned(), (*child).to_owned()))
                })
                .collect();
            if missing.is_empty() {
                return trace;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "order {order_id} lacks {missing:#?}; it has {seen:#?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every span of one trace so far.
pub(crate) struct Trace {
    pub(crate) trace_id: String,
    pub(crate) spans: Vec<ReceivedSpan>,
}

/// `orders: commit`.
pub(crate) fn label(span: &ReceivedSpan) -> String {
    format!("{}: {}", span.service, span.name)
}

impl Trace {
    fn of(receiver: &Receiver, trace_id: String) -> Self {
        let spans = receiver.spans();
        let spans = spans.into_iter().filter(|span| span.trace_id == trace_id);
        Self {
            spans: spans.collect(),
            trace_id,
        }
    }

    /// (parent, child) by service and name.
    pub(crate) fn edges(&self) -> BTreeSet<(String, String)> {
        let by_id: HashMap<_, _> = self
            .spans
            .iter()
            .map(|span| (span.span_id.as_str(), span))
            .collect();
        self.spans
            .iter()
            .filter_map(|span| Some((label(by_id.get(span.parent_id.as_str())?), label(span))))
            .collect()
    }

    /// Spans without their order.
    pub(crate) fn anonymous(&self, order_id: i64) -> Vec<String> {
        let order_id = order_id.to_string();
        self.spans
            .iter()
            .filter(|span| span.attribute("order.id") != Some(&order_id))
            .map(label)
            .collect()
    }

    /// Spans whose parent never arrived, the root aside.
    pub(crate) fn orphans(&self) -> Vec<String> {
        let ids: BTreeSet<_> = self.spans.iter().map(|span| &span.span_id).collect();
        self.spans
            .iter()
            .filter(|span| !span.parent_id.is_empty() && !ids.contains(&span.parent_id))
            .map(label)
            .collect()
    }

    /// The spans, indented below their parents, for whoever reads a test's output.
    pub(crate) fn tree(&self) -> String {
        let ids: BTreeSet<_> = self.spans.iter().map(|span| &span.span_id).collect();
        let mut roots: Vec<_> = self
            .spans
            .iter()
            .filter(|span| !ids.contains(&span.parent_id))
            .collect();
        roots.sort_by_key(|span| span.started);
        let mut text = format!("trace {}, {} spans\n", self.trace_id, self.spans.len());
        for root in roots {
            self.draw(root, 1, &mut text);
        }
        text
    }

    fn draw(&self, span: &ReceivedSpan, depth: usize, text: &mut String) {
        text.push_str(&"  ".repeat(depth));
        text.push_str(&label(span));
        for event in &span.events {
            text.push_str(&format!("  ({event})"));
        }
        text.push('\n');
        let mut children: Vec<_> = self
            .spans
            .iter()
            .filter(|child| child.parent_id == span.span_id)
            .collect();
        children.sort_by_key(|child| child.started);
        for child in children {
            self.draw(child, depth + 1, text);
        }
    }

    /// What is marked as failed, by service and name.
    pub(crate) fn failed(&self) -> BTreeSet<String> {
        let failed = self.spans.iter().filter(|span| span.failed);
        failed.map(label).collect()
    }

    pub(crate) fn has_event(&self, name: &str) -> bool {
        self.spans
            .iter()
            .any(|span| span.events.iter().any(|event| event == name))
    }
}
