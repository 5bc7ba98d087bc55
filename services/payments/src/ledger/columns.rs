//! A batch as the arrays of the ledger's statement.

use std::collections::HashSet;

use outbox::OutboxEvent;
use payment::ledger::{LedgerEntry, Recorded};
use payment::{Base, Change, Wake};
use payments_sql::queries::ledger::write_batch;
use shopapi_postgres::Client;
use uuid::Uuid;

use crate::events;

/// One array per column; see queries/ledger.sql. The ordinal of an entry is its place among the changes, from 1.
#[derive(Default)]
pub(super) struct Columns<'a> {
    /// Place in the batch, by ordinal.
    places: Vec<usize>,
    payment_ids: Vec<Uuid>,
    bases: Vec<i64>,
    write_ids: Vec<Uuid>,
    states: Vec<&'static str>,
    reasons: Vec<Option<&'a str>>,
    void_requested: Vec<bool>,
    attempts: Vec<i32>,
    attempts_left: Vec<i32>,
    look_ups: Vec<i32>,
    late_captures: Vec<bool>,
    refund_states: Vec<&'static str>,
    refund_attempts: Vec<i32>,
    refund_tries: Vec<i32>,
    wake_modes: Vec<i32>,
    wake_secs: Vec<f64>,
    order_ids: Vec<i64>,
    amounts_cents: Vec<i64>,
    currencies: Vec<&'a str>,
    payment_methods: Vec<&'a str>,
    traceparents: Vec<Option<&'a str>>,
    locks: Vec<Uuid>,
    attempt_records: AttemptColumns,
    refund_records: RefundColumns<'a>,
    /// Ordinal and event.
    events: Vec<(i64, OutboxEvent)>,
    published_ids: Vec<Uuid>,
}

#[derive(Default)]
struct AttemptColumns {
    ordinals: Vec<i64>,
    payment_ids: Vec<Uuid>,
    numbers: Vec<i32>,
    states: Vec<&'static str>,
}

#[derive(Default)]
struct RefundColumns<'a> {
    ordinals: Vec<i64>,
    ids: Vec<Uuid>,
    payment_ids: Vec<Uuid>,
    numbers: Vec<i32>,
    amounts_cents: Vec<i64>,
    states: Vec<&'static str>,
    reasons: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: &'a [LedgerEntry]) -> Self {
        let mut columns = Self::default();
        for (place, entry) in batch.iter().enumerate() {
            match entry {
                LedgerEntry::Change(recorded) => columns.push(place, recorded),
                LedgerEntry::Published(ids) => columns.published_ids.extend_from_slice(ids),
            }
        }
        columns
    }

    fn push(&mut self, place: usize, recorded: &'a Recorded) {
        self.places.push(place);
        let ordinal = i64::try_from(self.places.len()).unwrap_or(i64::MAX);
        self.push_row(recorded);
        self.push_records(ordinal, &recorded.change);
        if let Some(event) = events::outbox_event(recorded) {
            self.events.push((ordinal, event));
        }
    }

    fn push_row(&mut self, recorded: &'a Recorded) {
        let Change {
            base,
            payment,
            wake,
            ..
        } = &recorded.change;
        let id = payment.id().0;
        let (mode, after) = match wake {
            Wake::Never => (0, 0.0),
            Wake::In(after) => (1, after.as_secs_f64()),
            Wake::AtLeast(after) => (2, after.as_secs_f64()),
        };
        self.payment_ids.push(id);
        self.bases.push(match base {
            Base::Absent => 0,
            Base::Version(version) => *version,
        });
        if *base != Base::Absent {
            self.locks.push(id);
        }
        self.write_ids.push(recorded.write_id);
        self.states.push(payment.state.as_str());
        self.reasons.push(payment.reason.as_deref());
        self.void_requested.push(payment.void_requested);
        self.attempts.push(payment.attempt);
        self.attempts_left.push(payment.attempts_left);
        self.look_ups.push(payment.look_ups);
        self.late_captures.push(payment.late_capture);
        self.refund_states.push(payment.refund.as_str());
        self.refund_attempts.push(payment.refund_attempt);
        self.refund_tries.push(payment.refund_tries);
        self.wake_modes.push(mode);
        self.wake_secs.push(after);
        self.order_ids.push(payment.request.order_id.0);
        self.amounts_cents.push(payment.request.amount.0);
        self.currencies.push(&payment.request.currency);
        self.payment_methods
            .push(payment.request.payment_method.expose());
        self.traceparents
            .push(payment.request.traceparent.as_deref());
    }

    fn push_records(&mut self, ordinal: i64, change: &'a Change) {
        let id = change.payment.id().0;
        if let Some(attempt) = &change.attempt {
            let records = &mut self.attempt_records;
            records.ordinals.push(ordinal);
            records.payment_ids.push(id);
            records.numbers.push(attempt.attempt);
            records.states.push(attempt.state.as_str());
        }
        for refund in &change.refunds {
            let records = &mut self.refund_records;
            records.ordinals.push(ordinal);
            records.ids.push(refund.refund_id);
            records.payment_ids.push(id);
            records.numbers.push(refund.attempt);
            records.amounts_cents.push(change.payment.request.amount.0);
            records.states.push(refund.state.as_str());
            records.reasons.push(refund.reason.as_deref());
        }
    }

    /// Runs the statement; the ordinals that won.
    pub(super) async fn write(&self, client: &Client) -> Result<Vec<i64>, tokio_postgres::Error> {
        let events = || self.events.iter().map(|(_, event)| event);
        let event_ordinals: Vec<i64> = self.events.iter().map(|(ordinal, _)| *ordinal).collect();
        let event_ids: Vec<Uuid> = events().map(|event| event.event_id).collect();
        let event_orders: Vec<i64> = events().map(|event| event.order_id).collect();
        let event_seqs: Vec<i64> = events().map(|event| event.aggregate_seq).collect();
        let event_subjects: Vec<&str> = events().map(|event| event.subject.as_str()).collect();
        let event_versions: Vec<i32> = events().map(|event| event.schema_version).collect();
        let event_payloads: Vec<&[u8]> = events().map(|event| event.payload.as_slice()).collect();
        let event_traces: Vec<Option<&str>> =
            events().map(|event| event.traceparent.as_deref()).collect();
        write_batch()
            .bind(
                client,
                &self.payment_ids,
                &self.bases,
                &self.write_ids,
                &self.states,
                &self.reasons,
                &self.void_requested,
                &self.attempts,
                &self.attempts_left,
                &self.look_ups,
                &self.late_captures,
                &self.refund_states,
                &self.refund_attempts,
                &self.refund_tries,
                &self.wake_modes,
                &self.wake_secs,
                &self.order_ids,
                &self.amounts_cents,
                &self.currencies,
                &self.payment_methods,
                &self.traceparents,
                &self.locks,
                &self.attempt_records.ordinals,
                &self.attempt_records.payment_ids,
                &self.attempt_records.numbers,
                &self.attempt_records.states,
                &self.refund_records.ordinals,
                &self.refund_records.ids,
                &self.refund_records.payment_ids,
                &self.refund_records.numbers,
                &self.refund_records.amounts_cents,
                &self.refund_records.states,
                &self.refund_records.reasons,
                &event_ordinals,
                &event_ids,
                &event_orders,
                &event_seqs,
                &event_subjects,
                &event_versions,
                &event_payloads,
                &event_traces,
                &self.published_ids,
            )
            .all()
            .await
    }

    /// The batch places behind ordinals.
    pub(super) fn positions(&self, ordinals: &[i64]) -> HashSet<usize> {
        ordinals
            .iter()
            .filter_map(|ordinal| self.place(*ordinal))
            .collect()
    }

    fn place(&self, ordinal: i64) -> Option<usize> {
        let index = usize::try_from(ordinal).ok()?.checked_sub(1)?;
        self.places.get(index).copied()
    }

    /// The events of the entries at these places.
    pub(super) fn into_events(mut self, places: &HashSet<usize>) -> Vec<OutboxEvent> {
        let events = std::mem::take(&mut self.events);
        events
            .into_iter()
            .filter(|(ordinal, _)| {
                self.place(*ordinal)
                    .is_some_and(|place| places.contains(&place))
            })
            .map(|(_, event)| event)
            .collect()
    }
}
