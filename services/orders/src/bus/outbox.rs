//! The outbox drainer's surroundings: rows by claim on a connection of its own, the stream ORDERS, marks through the journal.

use actor_kit::batch::WriterMsg;
use actor_kit::{Mailbox, Reply};
use jetstream::{OutboundEvent, PublishFailure, Published, PublisherMsg};
use order_saga::{EventId, JournalEntry, JournalMsg};
use orders_sql::queries::bus as sql;
use outbox::{
    Claim, EventPublisher, OutboxEvent, OutboxStore, PublishOutcome, PublishedMarks,
    StoreUnavailable,
};
use shopapi_postgres::{Disconnected, Failure, PgConfig, Session};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::store::settle_plans;

/// The rows. The drainer claims one batch at a time, so the lock is never waited for.
#[derive(Debug)]
pub(crate) struct OutboxRows(Mutex<Result<Session, Disconnected>>);

impl OutboxRows {
    pub(crate) fn new(config: &PgConfig) -> Self {
        Self(Mutex::new(Session::new(config)))
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<OutboxEvent>, Failure> {
        let mut session = self.0.lock().await;
        let session = session.as_mut().map_err(|gone| gone.clone())?;
        let client = session.client().await?;
        let lease = claim.lease.as_secs_f64();
        let min_age = claim.min_age.as_secs_f64();
        let rows_max = i64::try_from(claim.rows_max).unwrap_or(i64::MAX);
        let claimed = async {
            settle_plans(client).await?;
            sql::claim_outbox()
                .bind(client, &lease, &min_age, &rows_max)
                .all()
                .await
        };
        match claimed.await {
            Ok(rows) => Ok(rows.into_iter().map(event).collect()),
            Err(error) => Err(session.judge(&error)),
        }
    }
}

impl OutboxStore for OutboxRows {
    async fn claim(&self, claim: Claim) -> Result<Vec<OutboxEvent>, StoreUnavailable> {
        Self::claim(self, claim)
            .await
            .map_err(|failure| StoreUnavailable(failure.to_string()))
    }
}

fn event(row: sql::ClaimedEvent) -> OutboxEvent {
    let sql::ClaimedEvent {
        event_id,
        order_id,
        aggregate_seq,
        subject,
        schema_version,
        payload,
        traceparent,
    } = row;
    OutboxEvent {
        event_id,
        order_id,
        aggregate_seq,
        subject,
        schema_version,
        payload,
        traceparent,
    }
}

/// The stream ORDERS, through the publishing actor.
#[derive(Clone, Debug)]
pub(crate) struct ToStream(pub(crate) Mailbox<PublisherMsg>);

impl EventPublisher for ToStream {
    type Msg = PublisherMsg;
    type Answer = Result<Published, PublishFailure>;

    fn mailbox(&self) -> &Mailbox<PublisherMsg> {
        &self.0
    }

    fn message(event: OutboxEvent, reply: Reply<Self::Answer>) -> PublisherMsg {
        PublisherMsg::Publish {
            event: OutboundEvent {
                event_id: event.event_id,
                // The same for every copy: the stream stores one of them.
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

/// Marks as lazy entries of the journal.
#[derive(Clone, Debug)]
pub(crate) struct MarksInJournal(pub(crate) Mailbox<JournalMsg>);

impl PublishedMarks for MarksInJournal {
    fn mark(&mut self, event_ids: &[Uuid]) -> bool {
        let ids = event_ids.iter().copied().map(EventId).collect();
        let marks = WriterMsg::lazy(JournalEntry::PublishedMarks(ids));
        self.0.try_send(marks).is_ok()
    }
}
