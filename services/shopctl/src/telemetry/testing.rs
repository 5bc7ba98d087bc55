//! Spans and log lines for tests.

use std::sync::Arc;

use super::model::{
    Attributes, Event, Link, LogLine, Outcome, Process, Span, SpanId, TraceId, Value,
};

pub(crate) struct Builder(Span);

pub(crate) fn trace_id(last: u8) -> TraceId {
    let mut id = [0; 16];
    id[15] = last;
    TraceId(id)
}

pub(crate) fn span_id(last: u8) -> SpanId {
    SpanId([0, 0, 0, 0, 0, 0, 0, last])
}

pub(crate) fn process(service: &str) -> Arc<Process> {
    Arc::new(Process {
        service: service.to_owned(),
        attributes: vec![(
            "service.instance.id".to_owned(),
            Value::Text(format!("{service}-a")),
        )],
    })
}

pub(crate) fn span(trace: u8, id: u8) -> Builder {
    Builder(Span {
        trace: trace_id(trace),
        id: span_id(id),
        parent: None,
        name: format!("work {id}"),
        kind: "internal",
        start_ns: u64::from(trace) * 1_000,
        end_ns: u64::from(trace) * 1_000 + 500,
        attributes: Attributes::new(),
        events: Vec::new(),
        links: Vec::new(),
        outcome: Outcome::Unset,
        message: String::new(),
        scope: "test".into(),
        process: process("orders"),
    })
}

impl Builder {
    pub(crate) fn named(mut self, name: &str, kind: &'static str) -> Self {
        self.0.name = name.to_owned();
        self.0.kind = kind;
        self
    }

    pub(crate) fn service(mut self, service: &str) -> Self {
        self.0.process = process(service);
        self
    }

    pub(crate) fn parent(mut self, id: u8) -> Self {
        self.0.parent = Some(span_id(id));
        self
    }

    pub(crate) fn at(mut self, start_ns: u64, end_ns: u64) -> Self {
        self.0.start_ns = start_ns;
        self.0.end_ns = end_ns;
        self
    }

    pub(crate) fn int(mut self, key: &str, value: i64) -> Self {
        self.0.attributes.push((key.to_owned(), Value::Int(value)));
        self
    }

    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        let value = Value::Text(value.to_owned());
        self.0.attributes.push((key.to_owned(), value));
        self
    }

    pub(crate) fn event(mut self, at_ns: u64, name: &str) -> Self {
        self.0.events.push(Event {
            at_ns,
            name: name.to_owned(),
            attributes: vec![("attempt".to_owned(), Value::Int(2))],
        });
        self
    }

    pub(crate) fn link(mut self, trace: u8, span: u8) -> Self {
        self.0.links.push(Link {
            trace: trace_id(trace),
            span: span_id(span),
            attributes: Attributes::new(),
        });
        self
    }

    pub(crate) fn failed(mut self, message: &str) -> Self {
        self.0.outcome = Outcome::Error;
        message.clone_into(&mut self.0.message);
        self
    }

    pub(crate) fn build(self) -> Span {
        self.0
    }
}

pub(crate) fn line(trace: u8, body: &str) -> LogLine {
    LogLine {
        trace: trace_id(trace),
        span: Some(span_id(1)),
        at_ns: u64::from(trace) * 1_000,
        severity: "WARN".to_owned(),
        body: body.to_owned(),
        attributes: Attributes::new(),
        process: process("orders"),
    }
}
