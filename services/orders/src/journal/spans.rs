//! The traces of a batch: one span for its statement, and in each order's own trace a `commit` span that links to it.

use actor_kit::TraceContext;
use order_saga::JournalEntry;
use tracing::field::Empty;
use tracing::{Span, info_span};

/// What the statement does to which tables.
const SUMMARY: &str = "INSERT idempotency_keys INSERT orders UPDATE orders INSERT order_timeline INSERT outbox UPDATE outbox";

/// The statement (queries/journal.sql), shortened: its five kilobytes in each of an order's spans would cost more than the order.
const TEXT: &str = "WITH entry AS (SELECT * FROM unnest($1, …)), …, \
     won_key AS (INSERT INTO idempotency_keys … ON CONFLICT (customer_id, key) DO NOTHING …), \
     accepted AS (INSERT INTO orders … ON CONFLICT (order_id) DO NOTHING …), \
     locked AS (SELECT o.order_id FROM … orders o … FOR NO KEY UPDATE OF o SKIP LOCKED), \
     moved AS (UPDATE orders o SET … WHERE o.order_id = e.order_id AND o.version = e.version - 1 …), …, \
     history AS (INSERT INTO order_timeline …), events AS (INSERT INTO outbox …), marked AS (UPDATE outbox o SET published_at = now() …) \
     SELECT now() AS at, …";

/// Open until the batch is decided.
pub(super) struct Spans {
    pub(super) batch: Span,
    commits: Vec<Span>,
}

impl Spans {
    /// The batch was not written.
    pub(super) fn failed(&self) {
        for span in self.commits.iter().chain([&self.batch]) {
            span.record("otel.status_code", "ERROR");
        }
    }
}

pub(super) fn of(batch: &[JournalEntry]) -> Spans {
    let traced: Vec<_> = batch
        .iter()
        .filter_map(|entry| match entry {
            JournalEntry::Accept(accept) => Some((&accept.trace, accept.saga.order.order_id)),
            JournalEntry::Transition(transition) => {
                Some((&transition.trace, transition.saga.order.order_id))
            }
            JournalEntry::PublishedMarks(_) => None,
        })
        .filter(|(trace, _)| trace.is_sampled())
        .collect();
    if traced.is_empty() {
        return Spans {
            batch: Span::none(),
            commits: Vec::new(),
        };
    }
    // A batch belongs to many orders, so it has a trace of its own.
    let span = info_span!(
        parent: None,
        "journal batch",
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = "postgresql",
        db.namespace = "ordersdb",
        db.operation.name = "commit_batch",
        db.operation.batch.size = batch.len(),
        db.query.summary = SUMMARY,
        db.query.text = TEXT,
    );
    let link = TraceContext::of(&span);
    let commits = traced
        .into_iter()
        .map(|(trace, order_id)| {
            let commit = info_span!(
                parent: None,
                "commit",
                otel.kind = "client",
                otel.status_code = Empty,
                db.system.name = "postgresql",
                db.namespace = "ordersdb",
                db.operation.name = "commit_batch",
                db.query.summary = SUMMARY,
                db.query.text = TEXT,
                order.id = order_id.0,
            );
            trace.parent_of(&commit);
            link.link_to(&commit);
            commit
        })
        .collect();
    Spans {
        batch: span,
        commits,
    }
}
