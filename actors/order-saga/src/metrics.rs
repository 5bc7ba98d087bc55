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

/// How many coordinators live.
pub(crate) fn coordinators(count: usize) {
    COORDINATORS.record(u64::try_from(count).unwrap_or(u64::MAX), &[]);
}

/// A freshly loaded saga was told what contradicts it.
pub(crate) fn illegal_event() {
    VIOLATIONS.add(1, &[KeyValue::new("kind", "illegal_event")]);
}
