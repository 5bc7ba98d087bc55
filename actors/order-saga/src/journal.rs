//! What a coordinator has written: entries of the group-commit writer, and what comes back for each. The service implements
//! [`actor_kit::batch::BatchStore`] for them in SQL: one data-modifying statement per batch.
//!
//! **Invariant.** An entry that is refused (stale, key taken) writes nothing at all: no outbox, timeline or key row.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::TraceContext;
use actor_kit::batch::{BatchEntry, Lane, WriterMsg};
use time::OffsetDateTime;

use crate::ids::{EventId, OrderId, Version, WriteId};
use crate::model::Quote;
use crate::saga::{DurableEffect, Next, OrderEvent, Saga, TimelineEntry, Wake};

/// What the journal is told.
pub type JournalMsg = WriterMsg<JournalEntry, Journaled>;

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalEntry {
    /// A new order. Answers [`Journaled::Accepted`] or [`Journaled::KeyTaken`].
    Accept(Box<Accept>),
    /// One step of a saga. Answers [`Journaled::Written`] or [`Journaled::Stale`].
    Transition(Box<Transition>),
    /// Outbox rows that the broker has acknowledged. Lazy: a lost mark is published again. Answers [`Journaled::Marked`].
    PublishedMarks(Vec<EventId>),
}

/// A new order with its saga, its first timeline row and its idempotency key: all or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// Order and saga, at [`Version::FIRST`].
    pub saga: Saga,
    /// The caller's key; the order is written only when the key is won.
    pub key: Option<IdempotencyKey>,
    /// The first row of its history.
    pub timeline: TimelineEntry,
    /// The first deadline, from the database's now.
    pub wake_after: Duration,
    /// Tells after an unknown commit whether the rows are ours.
    pub write_id: WriteId,
    /// The context of what caused the write.
    pub trace: TraceContext,
}

/// A caller's idempotency key. Unique per customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the caller sent it; 1 to 255 printable ASCII characters.
    pub key: String,
    /// SHA-256 of the canonical request.
    pub fingerprint: Vec<u8>,
}

/// One step of a saga, guarded by the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The saga after the step; its version is `expected_version + 1`.
    pub saga: Saga,
    /// The version that must be stored for this to be written.
    pub expected_version: Version,
    /// What the held stock costs, when this step learnt it.
    pub quote: Option<Arc<Quote>>,
    /// The event to publish.
    pub outbox: Option<OutboxRow>,
    /// The row of the order's history.
    pub timeline: TimelineEntry,
    /// The deadline.
    pub wake: Wake,
    /// Tells after an unknown commit whether the row is ours.
    pub write_id: WriteId,
    /// The context of what caused the write; stored with the outbox row.
    pub trace: TraceContext,
    /// Nobody waits for it: the end of a paid order changes nothing that a customer sees, and is found again when it is lost.
    pub lazy: bool,
    /// When the order was accepted, where that is known: tells how long a whole order took.
    pub accepted_at: Option<OffsetDateTime>,
}

/// An event with the id that subscribers dedupe on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its id.
    pub event_id: EventId,
    /// What happened.
    pub event: OrderEvent,
}

/// What became of an entry. Times are the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journaled {
    /// The order is accepted.
    Accepted {
        /// When.
        at: OffsetDateTime,
    },
    /// The idempotency key was used before; nothing was written.
    KeyTaken {
        /// For which order.
        order_id: OrderId,
        /// Whether for the same request.
        same_fingerprint: bool,
    },
    /// The step is stored.
    Written {
        /// When.
        at: OffsetDateTime,
    },
    /// Another version is stored (or none); nothing was written.
    Stale,
    /// The marks are stored.
    Marked,
}

impl Accept {
    /// The entry for what [`crate::saga::accept`] decided.
    #[must_use]
    pub fn from_next(
        next: &Next,
        key: Option<IdempotencyKey>,
        write_id: WriteId,
        trace: TraceContext,
    ) -> Self {
        let rows = Rows::of(next);
        Self {
            saga: next.saga.clone(),
            key,
            timeline: rows.timeline,
            wake_after: match rows.wake {
                Wake::After(after) => after,
                Wake::Keep | Wake::Never => Duration::ZERO,
            },
            write_id,
            trace,
        }
    }
}

impl Transition {
    /// The entry for what [`crate::saga::step`] decided on a saga at `expected_version`.
    #[must_use]
    pub fn from_next(
        next: &Next,
        expected_version: Version,
        event_id: EventId,
        write_id: WriteId,
        trace: TraceContext,
    ) -> Self {
        let rows = Rows::of(next);
        Self {
            saga: next.saga.clone(),
            expected_version,
            quote: rows.quote,
            outbox: rows.event.map(|event| OutboxRow { event_id, event }),
            timeline: rows.timeline,
            wake: rows.wake,
            write_id,
            trace,
            lazy: false,
            accepted_at: None,
        }
    }
}

/// The durable effects of one transition, each in its place.
struct Rows {
    timeline: TimelineEntry,
    quote: Option<Arc<Quote>>,
    event: Option<OrderEvent>,
    wake: Wake,
}

impl Rows {
    fn of(next: &Next) -> Self {
        let mut rows = Self {
            timeline: TimelineEntry::of(&next.saga, String::new()),
            quote: None,
            event: None,
            wake: Wake::Keep,
        };
        for effect in &next.durable {
            match effect {
                DurableEffect::Timeline(entry) => rows.timeline = entry.clone(),
                DurableEffect::Quote(quote) => rows.quote = Some(Arc::clone(quote)),
                DurableEffect::Publish(event) => rows.event = Some(event.clone()),
                DurableEffect::Wake(wake) => rows.wake = *wake,
            }
        }
        rows
    }
}

impl BatchEntry for JournalEntry {
    type Key = OrderId;

    fn order_id(&self) -> Option<i64> {
        self.key().map(|order_id| order_id.0)
    }

    fn key(&self) -> Option<OrderId> {
        match self {
            Self::Accept(accept) => Some(accept.saga.order.order_id),
            Self::Transition(transition) => Some(transition.saga.order.order_id),
            Self::PublishedMarks(_) => None,
        }
    }

    fn rows(&self) -> usize {
        match self {
            // Order, saga, timeline, key, and a row per line.
            Self::Accept(accept) => 4 + accept.saga.order.lines.len(),
            // Order, saga, timeline, outbox, and the prices of the lines.
            Self::Transition(transition) => {
                4 + transition
                    .quote
                    .as_ref()
                    .map_or(0, |quote| quote.lines.len())
            }
            Self::PublishedMarks(marks) => marks.len(),
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Accept(_) => Lane::Accept,
            Self::Transition(transition) if transition.lazy => Lane::Lazy,
            Self::Transition(_) => Lane::Continuation,
            Self::PublishedMarks(_) => Lane::Lazy,
        }
    }
}
