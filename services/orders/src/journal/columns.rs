//! A batch as the arrays of its statement.

use std::time::Duration;

use order_saga::journal::{Accept, Transition};
use order_saga::saga::{TimelineEntry, Wake};
use order_saga::{JournalEntry, Saga, WriteId};
use orders_sql::queries::journal as sql;
use outbox::OutboxEvent;
use shopapi_postgres::Client;
use shopapi_proto::subjects::SCHEMA_VERSION;
use uuid::Uuid;

use crate::wire::events;

/// The arrays. Row-writing entries have an index here, counted from 0; the statement's ordinal is one more.
#[derive(Default)]
pub(super) struct Columns<'b> {
    /// Where each row-writing entry stands in the batch.
    places: Vec<usize>,
    order_ids: Vec<i64>,
    versions: Vec<i64>,
    write_ids: Vec<Uuid>,
    statuses: Vec<&'static str>,
    saga_states: Vec<&'static str>,
    steps: Vec<&'static str>,
    cancel_reasons: Vec<Option<&'static str>>,
    details: Vec<String>,
    causes: Vec<&'b str>,
    wake_moves: Vec<bool>,
    wake_secs: Vec<Option<f64>>,
    total_cents: Vec<Option<i64>>,
    currencies: Vec<Option<&'b str>>,
    quotes: Vec<Option<String>>,
    accepts: AcceptColumns<'b>,
    /// The event and the index of its entry.
    events: Vec<(usize, OutboxEvent)>,
    published_ids: Vec<Uuid>,
}

/// What only new orders have.
#[derive(Default)]
struct AcceptColumns<'b> {
    ordinals: Vec<i64>,
    customer_ids: Vec<Uuid>,
    payment_methods: Vec<&'b str>,
    lines: Vec<String>,
    traceparents: Vec<Option<String>>,
    keys: Vec<Option<&'b str>>,
    fingerprints: Vec<Option<&'b [u8]>>,
}

impl<'b> Columns<'b> {
    /// # Errors
    /// When a value has no JSON form, which none of them can lack.
    pub(super) fn of(batch: &'b [JournalEntry]) -> Result<Self, serde_json::Error> {
        let mut columns = Self::default();
        for (place, entry) in batch.iter().enumerate() {
            match entry {
                JournalEntry::Accept(accept) => columns.push_accept(place, accept)?,
                JournalEntry::Transition(transition) => {
                    columns.push_transition(place, transition)?;
                }
                JournalEntry::PublishedMarks(ids) => {
                    columns.published_ids.extend(ids.iter().map(|id| id.0));
                }
            }
        }
        Ok(columns)
    }

    /// How many entries write rows of orders.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Where the entry with this index stands in the batch.
    pub(super) fn place_in_batch(&self, index: usize) -> usize {
        self.places.get(index).copied().unwrap_or(usize::MAX)
    }

    fn push_saga(
        &mut self,
        place: usize,
        saga: &'b Saga,
        timeline: &'b TimelineEntry,
        write_id: WriteId,
    ) -> Result<(), serde_json::Error> {
        self.places.push(place);
        self.order_ids.push(saga.order.order_id.0);
        self.versions.push(saga.version.0);
        self.write_ids.push(write_id.0);
        self.statuses.push(saga.status().as_str());
        self.saga_states.push(saga.saga_state().as_str());
        self.steps.push(saga.step.name());
        self.cancel_reasons
            .push(saga.cancel_reason().map(|reason| reason.as_str()));
        self.details.push(serde_json::to_string(&saga.details())?);
        self.causes.push(&timeline.cause);
        Ok(())
    }

    fn push_wake(&mut self, wake: Wake) {
        let (moves, after) = match wake {
            Wake::Keep => (false, None),
            Wake::After(after) => (true, Some(after.as_secs_f64())),
            Wake::Never => (true, None),
        };
        self.wake_moves.push(moves);
        self.wake_secs.push(after);
    }

    fn push_accept(&mut self, place: usize, accept: &'b Accept) -> Result<(), serde_json::Error> {
        let Accept {
            saga,
            key,
            timeline,
            wake_after,
            write_id,
            ..
        } = accept;
        self.push_saga(place, saga, timeline, *write_id)?;
        self.push_wake(Wake::After((*wake_after).max(Duration::ZERO)));
        self.total_cents.push(None);
        self.currencies.push(None);
        self.quotes.push(None);
        let order = &saga.order;
        let accepts = &mut self.accepts;
        accepts.ordinals.push(ordinal(self.places.len() - 1));
        accepts.customer_ids.push(order.customer_id.0);
        accepts.payment_methods.push(order.payment_method.expose());
        accepts.lines.push(serde_json::to_string(&order.lines)?);
        accepts.traceparents.push(order.trace.traceparent());
        accepts.keys.push(key.as_ref().map(|key| key.key.as_str()));
        accepts
            .fingerprints
            .push(key.as_ref().map(|key| key.fingerprint.as_slice()));
        Ok(())
    }

    fn push_transition(
        &mut self,
        place: usize,
        transition: &'b Transition,
    ) -> Result<(), serde_json::Error> {
        let Transition {
            saga,
            quote,
            outbox,
            timeline,
            wake,
            write_id,
            trace,
            ..
        } = transition;
        self.push_saga(place, saga, timeline, *write_id)?;
        self.push_wake(*wake);
        self.total_cents
            .push(quote.as_ref().map(|quote| quote.total.0));
        self.currencies
            .push(quote.as_ref().map(|quote| quote.currency.as_str()));
        let lines = quote
            .as_ref()
            .map(|quote| serde_json::to_string(&quote.lines));
        self.quotes.push(lines.transpose()?);
        if let Some(row) = outbox {
            let (subject, payload) = events::encode(saga, &row.event);
            let event = OutboxEvent {
                event_id: row.event_id.0,
                order_id: saga.order.order_id.0,
                aggregate_seq: saga.version.0,
                subject: subject.to_owned(),
                schema_version: SCHEMA_VERSION,
                payload,
                traceparent: trace
                    .traceparent()
                    .or_else(|| saga.order.trace.traceparent()),
            };
            self.events.push((self.places.len() - 1, event));
        }
        Ok(())
    }

    /// Runs the one statement.
    pub(super) async fn commit(
        &self,
        client: &Client,
    ) -> Result<sql::CommitBatch, tokio_postgres::Error> {
        let accepts = &self.accepts;
        let events = || self.events.iter();
        let event_ordinals: Vec<i64> = events().map(|(index, _)| ordinal(*index)).collect();
        let event_ids: Vec<Uuid> = events().map(|(_, event)| event.event_id).collect();
        let subjects: Vec<&str> = events().map(|(_, event)| event.subject.as_str()).collect();
        let schema_versions: Vec<i32> = events().map(|(_, event)| event.schema_version).collect();
        let payloads: Vec<&[u8]> = events()
            .map(|(_, event)| event.payload.as_slice())
            .collect();
        let traceparents: Vec<Option<&str>> = events()
            .map(|(_, event)| event.traceparent.as_deref())
            .collect();
        sql::commit_batch()
            .bind(
                client,
                &self.order_ids,
                &self.versions,
                &self.write_ids,
                &self.statuses,
                &self.saga_states,
                &self.steps,
                &self.cancel_reasons,
                &self.details,
                &self.causes,
                &self.wake_moves,
                &self.wake_secs,
                &self.total_cents,
                &self.currencies,
                &self.quotes,
                &accepts.ordinals,
                &accepts.customer_ids,
                &accepts.payment_methods,
                &accepts.lines,
                &accepts.traceparents,
                &accepts.keys,
                &accepts.fingerprints,
                &event_ordinals,
                &event_ids,
                &subjects,
                &schema_versions,
                &payloads,
                &traceparents,
                &self.published_ids,
            )
            .one()
            .await
    }

    /// Reads what stands in the way of these entries.
    pub(super) async fn read_lost(
        &self,
        client: &Client,
        lost: &[usize],
    ) -> Result<Vec<sql::LostEntry>, tokio_postgres::Error> {
        let mut order_ids = Vec::with_capacity(lost.len());
        let mut versions = Vec::with_capacity(lost.len());
        let mut customer_ids = Vec::with_capacity(lost.len());
        let mut keys = Vec::with_capacity(lost.len());
        for index in lost {
            let accept = self
                .accepts
                .ordinals
                .iter()
                .position(|accept| *accept == ordinal(*index));
            order_ids.push(self.order_ids.get(*index).copied().unwrap_or_default());
            versions.push(self.versions.get(*index).copied().unwrap_or_default());
            customer_ids.push(accept.and_then(|at| self.accepts.customer_ids.get(at).copied()));
            keys.push(accept.and_then(|at| self.accepts.keys.get(at).copied().flatten()));
        }
        sql::read_lost()
            .bind(client, &order_ids, &versions, &customer_ids, &keys)
            .all()
            .await
    }

    /// The events of the entries that `stored` names, by index.
    pub(super) fn events_where(self, stored: impl Fn(usize) -> bool) -> Vec<OutboxEvent> {
        self.events
            .into_iter()
            .filter(|(index, _)| stored(*index))
            .map(|(_, event)| event)
            .collect()
    }
}

/// The statement counts from 1.
fn ordinal(index: usize) -> i64 {
    i64::try_from(index + 1).unwrap_or(i64::MAX)
}
