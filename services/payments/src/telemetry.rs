//! The one place that counts payments and names spans and span events.
//!
//! **Once per outcome.** A payment counts when the change that decides it is committed, which one write of one replica wins.

mod gauges;

use std::sync::LazyLock;

use actor_kit::TraceContext;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use payment::ledger::{LedgerEntry, Recorded};
use payment::{Ignored, Payment, Tally};
use tracing::{Span, info, info_span};

pub(crate) use gauges::watch;

/// Without the suffix `_total`, which the Prometheus side adds.
static PAYMENTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    opentelemetry::global::meter("shopapi-payments")
        .u64_counter("payments")
        .with_description("Payments by what became of them")
        .build()
});

/// Every result is there from the start: a rise from nothing at all is no rise to Prometheus.
pub(crate) fn born() {
    for tally in [
        Tally::Captured,
        Tally::Declined,
        Tally::Voided,
        Tally::Refunded,
        Tally::Error,
    ] {
        PAYMENTS.add(0, &[KeyValue::new("result", tally.as_str())]);
    }
}

/// Counts one payment into `payments_total{result}`, after its commit.
pub(crate) fn count(tally: Tally) {
    PAYMENTS.add(1, &[KeyValue::new("result", tally.as_str())]);
}

/// Notes on the request's span what it met, and links it to the payment's first request.
pub(crate) fn note_repeat(ignored: Ignored, payment: &Payment) {
    let first = payment.request.traceparent.as_deref();
    if let Some(first) = first.and_then(TraceContext::from_traceparent) {
        first.link_to(&Span::current());
    }
    match ignored {
        Ignored::AlreadyPaid => info!("already_paid_skipped"),
        // A request is tried as an insert before anything is read, so this one met the row of another.
        Ignored::Duplicate => note_concurrent(),
        Ignored::Settled
        | Ignored::OutcomeOpen
        | Ignored::StaleAttempt
        | Ignored::AttemptsSpent
        | Ignored::RefundKnown => {}
    }
}

/// Notes on the request's span that its insert met the order's row.
pub(crate) fn note_concurrent() {
    info!("concurrent_duplicate");
}

/// A span for each traced change of a batch, under the change's own trace and linked to the batch's span. They end when dropped.
pub(crate) fn commit_spans(batch: &[LedgerEntry]) -> Vec<Span> {
    let traced: Vec<&Recorded> = batch
        .iter()
        .filter_map(|entry| match entry {
            LedgerEntry::Change(recorded) if recorded.trace.is_sampled() => Some(&**recorded),
            LedgerEntry::Change(_) | LedgerEntry::Published(_) => None,
        })
        .collect();
    if traced.is_empty() {
        return Vec::new();
    }
    let whole = info_span!(
        parent: None,
        "batch",
        otel.name = "commit payments batch",
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        db.system.name = "postgresql",
        db.namespace = "paymentsdb",
        db.operation.batch.size = batch.len(),
    );
    let whole_trace = TraceContext::of(&whole);
    let mut spans: Vec<Span> = traced
        .into_iter()
        .map(|recorded| {
            let span = info_span!(
                parent: None,
                "commit",
                otel.kind = "client",
                otel.status_code = tracing::field::Empty,
                order.id = recorded.change.payment.request.order_id.0,
                db.system.name = "postgresql",
                db.namespace = "paymentsdb",
                db.collection.name = "payments",
                db.operation.name = "write_batch",
                db.query.summary = "write_batch payments",
                db.query.text = WRITE_TEXT,
                payment.state = recorded.change.payment.state.as_str(),
            );
            recorded.trace.parent_of(&span);
            whole_trace.link_to(&span);
            span
        })
        .collect();
    spans.push(whole);
    spans
}

/// The shape of the ledger's statement (queries/ledger.sql), with placeholders only.
const WRITE_TEXT: &str = "WITH entry AS (SELECT … FROM unnest($1, …)), locked AS (SELECT … FROM payments … FOR NO KEY UPDATE SKIP LOCKED), \
     updated AS (UPDATE payments …), inserted AS (INSERT INTO payments … ON CONFLICT DO NOTHING), …, told AS (INSERT INTO outbox …) \
     SELECT ordinal FROM won";

/// The batch was not written.
pub(crate) fn failed(spans: &[Span]) {
    for span in spans {
        span.record("otel.status_code", "ERROR");
    }
}
