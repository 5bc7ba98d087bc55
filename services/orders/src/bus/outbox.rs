//! The outbox drainer's surroundings: rows by claim on a connection of its own, the stream ORDERS, marks through the journal.

use std::time::Duration;

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
use tokio::time::timeout;
use uuid::Uuid;

/// A claim that takes longer is given up and its connection dropped. Above the role's `statement_timeout`, whose error knows more; with
/// the time to connect below the drainer's own deadline, which would leave the connection with a statement that hangs on it.
const CLAIM_DEADLINE: Duration = Duration::from_millis(10_500);

/// The rows. The drainer claims one batch at a time, so the lock is never waited for.
#[derive(Debug)]
pub(crate) struct OutboxRows {
    session: Mutex<Result<Session, Disconnected>>,
    claim_deadline: Duration,
}

impl OutboxRows {
    pub(crate) fn new(config: &PgConfig) -> Self {
        Self {
            session: Mutex::new(Session::new(config)),
            claim_deadline: CLAIM_DEADLINE,
        }
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<OutboxEvent>, Failure> {
        let mut session = self.session.lock().await;
        let session = session.as_mut().map_err(|gone| gone.clone())?;
        let client = session.client().await?;
        let lease = claim.lease.as_secs_f64();
        let min_age = claim.min_age.as_secs_f64();
        let rows_max = i64::try_from(claim.rows_max).unwrap_or(i64::MAX);
        let claimed = timeout(
            self.claim_deadline,
            sql::claim_outbox()
                .bind(client, &lease, &min_age, &rows_max)
                .all(),
        )
        .await;
        match claimed {
            Ok(Ok(rows)) => Ok(rows.into_iter().map(event).collect()),
            Ok(Err(error)) => Err(session.judge(&error)),
            Err(_elapsed) => Err(session.overdue()),
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

#[cfg(test)]
mod tests {
    use devstack::{Proxy, TestStack};

    use super::*;

    const CLAIM: Claim = Claim {
        min_age: Duration::ZERO,
        lease: Duration::from_secs(10),
        rows_max: 10,
    };

    #[tokio::test]
    async fn a_claim_that_hangs_ends_and_does_not_keep_its_connection() {
        let stack = TestStack::migrated().await.unwrap();
        let network = Proxy::start(stack.cluster.addr()).await.unwrap();
        let server = stack.cluster.addr().to_string();
        let url = stack
            .url("orders")
            .replace(&server, &network.addr().to_string());
        let rows = OutboxRows {
            claim_deadline: Duration::from_millis(100),
            ..OutboxRows::new(&PgConfig::parse(&url, "test").unwrap())
        };
        // The first statements on a loaded machine may take longer than that.
        while OutboxRows::claim(&rows, CLAIM).await.is_err() {}

        network.freeze();
        let failure = OutboxRows::claim(&rows, CLAIM).await.unwrap_err();

        assert!(failure.text.contains("no answer"), "{failure}");
        let session = rows.session.lock().await;
        assert!(!session.as_ref().unwrap().is_connected());
    }
}
