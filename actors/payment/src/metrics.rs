//! What must not happen to a payment and did. What is committed is counted where it is committed, by the ledger's store.

use std::sync::LazyLock;

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

static VIOLATIONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("payment")
        .u64_counter("invariant_violations")
        .with_description("What must not happen and did, by its kind")
        .build()
});

const KIND: &str = "kind";
const ILLEGAL_EVENT: &str = "illegal_event";
const PARAMETERS_DIFFER: &str = "parameters_differ";

/// They are there from the start: a rise from nothing at all is no rise to Prometheus.
pub(crate) fn born() {
    for kind in [ILLEGAL_EVENT, PARAMETERS_DIFFER] {
        VIOLATIONS.add(0, &[KeyValue::new(KIND, kind)]);
    }
}

/// A payment was told what contradicts its row.
pub(crate) fn illegal_event() {
    VIOLATIONS.add(1, &[KeyValue::new(KIND, ILLEGAL_EVENT)]);
}

/// A payment was asked for again with other parameters.
pub(crate) fn parameters_differ() {
    VIOLATIONS.add(1, &[KeyValue::new(KIND, PARAMETERS_DIFFER)]);
}
