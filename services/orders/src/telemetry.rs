//! What the service counts. One place, so that the promised names are in one place.
//!
//! **Once per outcome.** An order counts in `orders_created_total` when its first step after the accept is committed, which one write of one
//! replica wins: `rejected` when the stock refused it, `accepted` otherwise. A repeat with the same key, a retry and a redelivery commit no
//! such step. `error` is a CreateOrder that ended without an order. A process that dies between a commit and its count loses that count.

mod gauges;

use std::sync::LazyLock;

use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};
use order_saga::Transition;
use order_saga::saga::{SagaStep, StuckReason};
use time::OffsetDateTime;

pub(crate) use gauges::watch;

/// The version that an order's first step after its accept leads to.
const FIRST_STEP: i64 = 2;

static CREATED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("shopapi-orders")
        .u64_counter("orders_created")
        .with_description("Orders by what came of their creation")
        .build()
});

static COMPLETION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("shopapi-orders")
        .f64_histogram("order_completion")
        .with_unit("s")
        .with_description("How long an order took from its accept to its end")
        .build()
});

static VIOLATIONS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("shopapi-orders")
        .u64_counter("invariant_violations")
        .with_description("What must not happen and did, by its kind")
        .build()
});

/// Every result is there from the start: a rise from nothing at all is no rise to Prometheus.
fn born() {
    for result in ["accepted", "rejected", "error"] {
        CREATED.add(0, &[KeyValue::new("result", result)]);
    }
    for reason in [
        StuckReason::CommitRefused,
        StuckReason::ReleaseRefused,
        StuckReason::PaymentMismatch,
    ] {
        VIOLATIONS.add(0, &[KeyValue::new("kind", reason.as_str())]);
    }
}

/// A step of a saga is committed, by us.
pub(crate) fn committed(transition: &Transition, at: OffsetDateTime) {
    let step = &transition.saga.step;
    if transition.saga.version.0 == FIRST_STEP {
        let result = match step {
            SagaStep::Rejected { .. } => "rejected",
            _ => "accepted",
        };
        CREATED.add(1, &[KeyValue::new("result", result)]);
    }
    match step {
        SagaStep::Stuck { reason, .. } => note_stuck(*reason),
        _ if step.is_at_rest() => {
            if let Some(accepted_at) = transition.accepted_at {
                let took = (at - accepted_at).as_seconds_f64();
                let status = KeyValue::new("status", step.status().as_str());
                COMPLETION.record(took, &[status]);
            }
        }
        _ => {}
    }
}

/// A CreateOrder ended without an order.
pub(crate) fn not_created() {
    CREATED.add(1, &[KeyValue::new("result", "error")]);
}

/// These reasons say that two services disagree about what both have written down.
fn note_stuck(reason: StuckReason) {
    match reason {
        StuckReason::CommitRefused | StuckReason::ReleaseRefused | StuckReason::PaymentMismatch => {
            VIOLATIONS.add(1, &[KeyValue::new("kind", reason.as_str())]);
        }
        StuckReason::RefundRefused | StuckReason::CallRefused | StuckReason::Poison => {}
    }
}
