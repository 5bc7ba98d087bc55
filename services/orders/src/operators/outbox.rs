//! The outbox: how far the drainer has come, and events that were published before, once more.
//!
//! A replay goes past the drainer, which would recognise its events as published, and needs new message ids, because the broker
//! acknowledges one it remembers without storing the event. Nothing changes in the table, so a page that failed is simply repeated.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jetstream::OutboundEvent;
use orders_sql::queries::admin as sql;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::{Act, AdminError, OperatorDesk, act_span, publish, touches};

/// Events of one page: a second of publishing on a slow broker.
const PAGE_ROWS: usize = 256;
/// Events of a replay on their way at once; most of the publish window stays free for what customers do now.
const IN_FLIGHT_MAX: usize = 8;

/// What a page of a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replayed {
    pub(crate) events: usize,
    /// Where the next page begins; `None` when this was the last.
    pub(crate) next_after: Option<Uuid>,
}

impl OperatorDesk {
    /// How far the drainer has come.
    pub(crate) async fn outbox_status(&self) -> Result<sql::OutboxStatus, AdminError> {
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(sql::outbox_status().bind(&client).one())
            .await;
        Ok(self.store.settle(client, found)?)
    }

    /// Publishes one page of the events that were written in the last `since` again.
    pub(crate) async fn replay_outbox(
        &self,
        since: Duration,
        after: Option<Uuid>,
        act: &Act,
    ) -> Result<Replayed, AdminError> {
        let target = after.map_or_else(
            || format!("the last {} s", since.as_secs()),
            |after| format!("the last {} s, after {after}", since.as_secs()),
        );
        let action_id = self.begin(act, "outbox.replay", &target, None).await?;
        let span = act_span("outbox.replay");
        let replayed = self.replay_page(since, after, &span);
        let replayed = replayed.instrument(span.clone()).await;
        drop(span);
        let text = replayed
            .as_ref()
            .map(|page| format!("{} events published again", page.events));
        self.end(action_id, text).await;
        replayed
    }

    async fn replay_page(
        &self,
        since: Duration,
        after: Option<Uuid>,
        span: &Span,
    ) -> Result<Replayed, AdminError> {
        let rows_max = i64::try_from(PAGE_ROWS).unwrap_or(i64::MAX);
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(
                sql::published_since()
                    .bind(&client, &after, &since.as_secs_f64(), &rows_max)
                    .all(),
            )
            .await;
        let events = self.store.settle(client, found)?;
        let page = Replayed {
            events: events.len(),
            next_after: events
                .last()
                .filter(|_| events.len() == PAGE_ROWS)
                .map(|last| last.event_id),
        };
        for event in &events {
            touches(span, event.traceparent.as_deref());
        }
        stream::iter(events)
            .map(|event| publish(&self.publisher, again(event)))
            .buffer_unordered(IN_FLIGHT_MAX)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await?;
        Ok(page)
    }
}

fn again(event: sql::PublishedEvent) -> OutboundEvent {
    OutboundEvent {
        event_id: event.event_id,
        message_id: Uuid::new_v4(),
        order_id: event.order_id,
        aggregate_seq: event.aggregate_seq,
        subject: event.subject,
        schema_version: event.schema_version,
        payload: event.payload.into(),
        traceparent: event.traceparent,
    }
}
