//! What the actors of the saga measure about themselves. What is committed is counted where it is committed, by the journal's store.

use std::sync::LazyLock;

use opentelemetry::metrics::{Counter, Gauge};
use opentelemetry::{KeyValue, global};

static COORDINATORS: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    global::meter("order-saga")
        .u64_gauge("saga_coordinators")
        .with_description("Coordinators that live on this replica")
        .build()
});

static VIOLATIONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("order-saga")
        .u64_counter("invariant_violations")
        .with_description("What must not happen and did, by its kind")
        .build()
});

/// An illegal event.
const ILLEGAL_EVENT: (&str, &str) = ("kind", "illegal_event");

/// How many coordinators live.
pub(crate) fn coordinators(count: usize) {
    COORDINATORS.record(u64::try_from(count).unwrap_or(u64::MAX), &[]);
}

/// It is there from the start: a rise from nothing at all is no rise to Prometheus.
pub(crate) fn born() {
    let (key, value) = ILLEGAL_EVENT;
    VIOLATIONS.add(0, &[KeyValue::new(key, value)]);
}

/// A freshly loaded saga was told what contradicts it.
pub(crate) fn illegal_event() {
    let (key, value) = ILLEGAL_EVENT;
    VIOLATIONS.add(1, &[KeyValue::new(key, value)]);
}
