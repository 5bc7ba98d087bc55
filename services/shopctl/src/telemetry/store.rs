//! The traces that are kept: the newest, within a bound of spans and of bytes.
//!
//! A trace is one unit: it is kept or forgotten whole. What goes first is the trace that has not grown for the longest time, so that the trace of an
//! order that takes long stays whole while others come and go.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::model::{LogLine, Span, SpanId, TraceId, Value, get};

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Spans of all traces.
    pub spans_max: usize,
    /// Bytes of all traces, about.
    pub bytes_max: usize,
    /// Spans of one trace: one that never ends must not push out all others.
    pub trace_spans_max: usize,
    /// Log lines of one trace; the last ones stay.
    pub trace_lines_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // About two thousand orders.
            spans_max: 100_000,
            // A development machine does not miss it.
            bytes_max: 128 * 1024 * 1024,
            trace_spans_max: 5_000,
            trace_lines_max: 500,
        }
    }
}

/// A trace.
#[derive(Debug, Default)]
pub struct Trace {
    /// Its spans, in the order in which they came.
    pub spans: Vec<Span>,
    /// Its last log lines, in the order in which they came.
    pub lines: VecDeque<LogLine>,
    ids: HashSet<SpanId>,
    bytes: usize,
    grown: u64,
}

impl Trace {
    /// Begin of its first span.
    #[must_use]
    pub fn start_ns(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| span.start_ns)
            .min()
            .unwrap_or_default()
    }

    /// End of its last span.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| span.end_ns)
            .max()
            .unwrap_or_default()
    }

    /// The span that everything began with: the earliest without a parent that is here.
    #[must_use]
    pub fn root(&self) -> Option<&Span> {
        self.spans.iter().min_by_key(|span| {
            let known = span.parent.is_some_and(|parent| self.ids.contains(&parent));
            (known, span.parent.is_some(), span.start_ns)
        })
    }

    /// The orders that its spans tell of, each once.
    #[must_use]
    pub fn orders(&self) -> Vec<String> {
        let mut orders = Vec::new();
        for order in self
            .spans
            .iter()
            .filter_map(|span| get(&span.attributes, "order.id"))
            .map(Value::to_string)
        {
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        orders
    }
}

/// Which traces are looked for. What is absent does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// A span of this service …
    pub service: Option<String>,
    /// … with this name …
    pub operation: Option<String>,
    /// … with all of these attributes, on itself, its events or its process …
    pub tags: Vec<(String, String)>,
    /// … that began not before …
    pub start_min_ns: Option<u64>,
    /// … and not after …
    pub start_max_ns: Option<u64>,
    /// … and took at least …
    pub duration_min_ns: Option<u64>,
    /// … and at most.
    pub duration_max_ns: Option<u64>,
    /// The newest traces, so many.
    pub limit: usize,
}

impl Search {
    fn finds(&self, span: &Span) -> bool {
        let duration = span.end_ns - span.start_ns;
        self.service
            .as_ref()
            .is_none_or(|service| *service == span.process.service)
            && self
                .operation
                .as_ref()
                .is_none_or(|name| *name == span.name)
            && self.start_min_ns.is_none_or(|min| span.start_ns >= min)
            && self.start_max_ns.is_none_or(|max| span.start_ns <= max)
            && self.duration_min_ns.is_none_or(|min| duration >= min)
            && self.duration_max_ns.is_none_or(|max| duration <= max)
            && self.tags.iter().all(|(key, wanted)| has(span, key, wanted))
    }
}

fn has(span: &Span, key: &str, wanted: &str) -> bool {
    // Jaeger makes tags of these, so people search for them.
    match key {
        "error" if wanted == "true" => return span.outcome == super::model::Outcome::Error,
        "span.kind" => return span.kind == wanted,
        _ => {}
    }
    let lists = [&span.attributes, &span.process.attributes].into_iter();
    lists
        .chain(span.events.iter().map(|event| &event.attributes))
        .filter_map(|attributes| get(attributes, key))
        .any(|value| value.to_string() == wanted)
}

/// The traces in memory.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    traces: HashMap<TraceId, Trace>,
    // By when each last grew; the first is forgotten first.
    order: BTreeMap<u64, TraceId>,
    clock: u64,
    spans: usize,
    bytes: usize,
    forgotten: u64,
}

/// How full a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Traces that are kept.
    pub traces: usize,
    /// Their spans.
    pub spans: usize,
    /// Their bytes, about.
    pub bytes: usize,
    /// Traces that had to go.
    pub forgotten: u64,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            traces: HashMap::new(),
            order: BTreeMap::new(),
            clock: 0,
            spans: 0,
            bytes: 0,
            forgotten: 0,
        }
    }

    /// Keeps a span. One that is here already, sent again by an exporter that heard no answer, changes nothing.
    pub fn add_span(&mut self, span: Span) {
        let (id, bytes) = (span.trace, span.bytes());
        let spans_max = self.limits.trace_spans_max;
        let trace = self.grow(id);
        if trace.spans.len() >= spans_max || !trace.ids.insert(span.id) {
            return;
        }
        trace.spans.push(span);
        trace.bytes += bytes;
        self.spans += 1;
        self.bytes += bytes;
        self.evict(id);
    }

    /// Keeps a log line with its trace, whether or not its spans have come.
    pub fn add_line(&mut self, line: LogLine) {
        let (id, bytes) = (line.trace, line.bytes());
        let lines_max = self.limits.trace_lines_max;
        let trace = self.grow(id);
        let mut freed = 0;
        if trace.lines.len() >= lines_max {
            freed = trace.lines.pop_front().map_or(0, |line| line.bytes());
        }
        trace.lines.push_back(line);
        trace.bytes = trace.bytes + bytes - freed;
        self.bytes = self.bytes + bytes - freed;
        self.evict(id);
    }

    fn grow(&mut self, id: TraceId) -> &mut Trace {
        self.clock += 1;
        let trace = self.traces.entry(id).or_default();
        self.order.remove(&trace.grown);
        trace.grown = self.clock;
        self.order.insert(self.clock, id);
        trace
    }

    fn evict(&mut self, grown: TraceId) {
        while self.spans > self.limits.spans_max || self.bytes > self.limits.bytes_max {
            match self.order.pop_first() {
                Some((_, id)) if id != grown => {
                    if let Some(trace) = self.traces.remove(&id) {
                        self.spans -= trace.spans.len();
                        self.bytes -= trace.bytes;
                        self.forgotten += 1;
                    }
                }
                // The one that grows alone fills the store: its own bound holds it.
                Some((at, id)) => {
                    self.order.insert(at, id);
                    return;
                }
                None => return,
            }
        }
    }

    /// A trace.
    #[must_use]
    pub fn get(&self, id: TraceId) -> Option<&Trace> {
        self.traces.get(&id)
    }

    /// The traces with a span that fits, the newest first.
    #[must_use]
    pub fn find(&self, search: &Search) -> Vec<(TraceId, &Trace)> {
        let mut found: Vec<_> = self
            .traces
            .iter()
            .filter(|(_, trace)| trace.spans.iter().any(|span| search.finds(span)))
            .map(|(id, trace)| (trace.start_ns(), *id, trace))
            .collect();
        found.sort_unstable_by_key(|(start, id, _)| std::cmp::Reverse((*start, *id)));
        found.truncate(search.limit);
        found
            .into_iter()
            .map(|(_, id, trace)| (id, trace))
            .collect()
    }

    /// The names of all services that sent a span, sorted.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        self.sorted(|span| Some(span.process.service.clone()))
    }

    /// The names and kinds of a service's spans, sorted.
    #[must_use]
    pub fn operations(&self, service: &str) -> Vec<(String, &'static str)> {
        self.sorted(|span| {
            (span.process.service == service).then(|| (span.name.clone(), span.kind))
        })
    }

    fn sorted<T: Ord>(&self, of: impl Fn(&Span) -> Option<T>) -> Vec<T> {
        let spans = self.traces.values().flat_map(|trace| &trace.spans);
        let set: std::collections::BTreeSet<T> = spans.filter_map(of).collect();
        set.into_iter().collect()
    }

    /// How full it is.
    #[must_use]
    pub fn fill(&self) -> Fill {
        Fill {
            traces: self.traces.len(),
            spans: self.spans,
            bytes: self.bytes,
            forgotten: self.forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{line, span};
    use super::*;

    fn limits() -> Limits {
        Limits {
            spans_max: 4,
            bytes_max: 1_000_000,
            trace_spans_max: 3,
            trace_lines_max: 2,
        }
    }

    fn by_tag(key: &str, value: &str) -> Search {
        Search {
            tags: vec![(key.to_owned(), value.to_owned())],
            limit: 10,
            ..Search::default()
        }
    }

    fn ids(store: &Store, search: &Search) -> Vec<u8> {
        let found = store.find(search);
        found.iter().map(|(id, _)| id.0[15]).collect()
    }

    #[test]
    fn the_trace_that_has_not_grown_for_the_longest_goes_first() {
        let mut store = Store::new(limits());
        store.add_span(span(1, 1).build());
        store.add_span(span(2, 1).build());
        store.add_span(span(3, 1).build());
        // The first one still grows.
        store.add_span(span(1, 2).build());
        store.add_span(span(4, 1).build());

        let kept: Vec<bool> = (1..=4)
            .map(|trace| store.get(TraceId(id16(trace))).is_some())
            .collect();
        assert_eq!(kept, [true, false, true, true]);
        assert_eq!(store.fill().forgotten, 1);
        assert_eq!(store.fill().spans, 4);
    }

    fn id16(last: u8) -> [u8; 16] {
        let mut id = [0; 16];
        id[15] = last;
        id
    }

    #[test]
    fn bytes_bound_the_store_as_spans_do() {
        let one = span(1, 1).text("note", &"x".repeat(1_000)).build();
        let mut store = Store::new(Limits {
            bytes_max: one.bytes() * 2,
            ..limits()
        });
        for trace in 1..=3 {
            store.add_span(span(trace, 1).text("note", &"x".repeat(1_000)).build());
        }
        assert_eq!(store.fill().traces, 2);
        assert!(store.fill().bytes <= one.bytes() * 2);
        assert!(store.get(TraceId(id16(1))).is_none());
    }

    #[test]
    fn one_trace_cannot_fill_the_store() {
        let mut store = Store::new(limits());
        for id in 1..=9 {
            store.add_span(span(1, id).build());
        }
        assert_eq!(store.fill().spans, 3);
        for text in ["first", "second", "third"] {
            store.add_line(line(1, text));
        }
        let trace = store.get(TraceId(id16(1))).unwrap();
        let lines: Vec<&str> = trace.lines.iter().map(|line| line.body.as_str()).collect();
        assert_eq!(lines, ["second", "third"]);
    }

    #[test]
    fn a_span_that_is_sent_again_is_kept_once() {
        let mut store = Store::new(limits());
        store.add_span(span(1, 1).build());
        store.add_span(span(1, 1).build());
        assert_eq!(store.fill().spans, 1);
    }

    #[test]
    fn spans_and_bytes_are_given_back_when_a_trace_goes() {
        let mut store = Store::new(limits());
        for trace in 1..=50 {
            store.add_span(span(trace, 1).build());
            store.add_line(line(trace, "a line"));
        }
        let kept: usize = store.traces.values().map(|trace| trace.bytes).sum();
        assert_eq!(store.fill().bytes, kept);
        assert_eq!((store.fill().traces, store.order.len()), (4, 4));
    }

    #[test]
    fn traces_are_found_by_what_one_of_their_spans_says() {
        let mut store = Store::new(Limits::default());
        store.add_span(span(1, 1).service("gateway").at(10, 20).build());
        let orders = span(1, 2).service("orders").at(12, 15).int("order.id", 7);
        store.add_span(orders.build());
        let other = span(2, 1).service("orders").at(30, 90).int("order.id", 8);
        store.add_span(other.failed("out of order").build());

        assert_eq!(ids(&store, &by_tag("order.id", "7")), [1]);
        assert_eq!(ids(&store, &by_tag("order.id", "77")), [0_u8; 0]);
        assert_eq!(ids(&store, &by_tag("error", "true")), [2]);
        let newest_first = Search {
            service: Some("orders".to_owned()),
            limit: 10,
            ..Search::default()
        };
        assert_eq!(ids(&store, &newest_first), [2, 1]);
        let slow = Search {
            duration_min_ns: Some(11),
            limit: 10,
            ..Search::default()
        };
        assert_eq!(ids(&store, &slow), [2]);
        let early = Search {
            start_max_ns: Some(12),
            limit: 10,
            ..Search::default()
        };
        assert_eq!(ids(&store, &early), [1]);
        // All of it must hold for the same span.
        let crossed = Search {
            service: Some("gateway".to_owned()),
            ..by_tag("order.id", "7")
        };
        assert_eq!(ids(&store, &crossed), [0_u8; 0]);
    }

    #[test]
    fn a_trace_whose_root_was_never_sent_still_has_a_first_span() {
        let mut store = Store::new(Limits::default());
        store.add_span(span(1, 3).parent(2).at(20, 30).build());
        store.add_span(span(1, 2).parent(9).at(10, 40).build());
        let trace = store.get(TraceId(id16(1))).unwrap();
        assert_eq!(trace.root().unwrap().id.0[7], 2);
    }
}
