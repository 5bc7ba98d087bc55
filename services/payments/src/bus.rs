//! What the outbox drainer needs: rows to claim, the publisher, and somebody who marks what was published.

use actor_kit::batch::WriterMsg;
use actor_kit::{Mailbox, Reply, TraceContext};
use jetstream::{OutboundEvent, PublishFailure, Published, PublisherMsg};
use outbox::{
    Claim, EventPublisher, OutboxEvent, OutboxStore, PublishOutcome, PublishedMarks,
    StoreUnavailable,
};
use payment::ledger::{LedgerEntry, LedgerMsg};
use payments_sql::queries::outbox::claim_outbox;
use shopapi_postgres::PgConfig;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::database::Database;

/// The outbox table on a connection of its own.
pub(crate) struct Outbox(Mutex<Database>);

impl Outbox {
    pub(crate) fn new(config: &PgConfig) -> Self {
        Self(Mutex::new(Database::new(config, "payments outbox")))
    }
}

impl OutboxStore for Outbox {
    async fn claim(&self, claim: Claim) -> Result<Vec<OutboxEvent>, StoreUnavailable> {
        let rows_max = i64::try_from(claim.rows_max).unwrap_or(i64::MAX);
        let mut database = self.0.lock().await;
        let client = database
            .client()
            .await
            .map_err(|lost| StoreUnavailable(lost.reason))?;
        let rows = Database::bounded(
            claim_outbox()
                .bind(
                    client,
                    &claim.lease.as_secs_f64(),
                    &claim.min_age.as_secs_f64(),
                    &rows_max,
                )
                .map(|row| OutboxEvent {
                    event_id: row.event_id,
                    order_id: row.order_id,
                    aggregate_seq: row.aggregate_seq,
                    subject: row.subject.to_owned(),
                    schema_version: row.schema_version,
                    payload: row.payload.to_vec(),
                    traceparent: row.traceparent.map(str::to_owned),
                })
                .all(),
        )
        .await;
        rows.map_err(|trouble| StoreUnavailable(database.judge(&trouble).text))
    }
}

/// The publishing actor.
pub(crate) struct Publisher(pub(crate) Mailbox<PublisherMsg>);

impl EventPublisher for Publisher {
    type Msg = PublisherMsg;
    type Answer = Result<Published, PublishFailure>;

    fn mailbox(&self) -> &Mailbox<PublisherMsg> {
        &self.0
    }

    fn message(event: OutboxEvent, reply: Reply<Self::Answer>) -> PublisherMsg {
        PublisherMsg::Publish {
            event: OutboundEvent {
                event_id: event.event_id,
                message_id: event.event_id,
                order_id: event.order_id,
                aggregate_seq: event.aggregate_seq,
                subject: event.subject,
                schema_version: event.schema_version,
                payload: event.payload.into(),
                traceparent: event.traceparent,
            },
            reply,
        }
    }

    fn outcome(answer: Self::Answer) -> PublishOutcome {
        match answer {
            Ok(Published { .. }) => PublishOutcome::Published,
            Err(PublishFailure::Unavailable(_)) => PublishOutcome::Unavailable,
            Err(PublishFailure::Refused(reason)) => PublishOutcome::Refused(reason),
        }
    }
}

/// Marks ride on later batches of the ledger.
pub(crate) struct Marks(pub(crate) Mailbox<LedgerMsg>);

impl PublishedMarks for Marks {
    fn mark(&mut self, event_ids: &[Uuid]) -> bool {
        let entry = LedgerEntry::Published(event_ids.to_vec());
        self.0
            .try_send_with(WriterMsg::lazy(entry), TraceContext::default())
            .is_ok()
    }
}
