//! WatchOrder: the timeline as it grows, read again whenever the order has moved.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use actor_kit::{Mailbox, Reply, StopSignal};
use futures::{Stream, StreamExt as _};
use order_saga::{Await, Awaited, CustomerId, OrderId, RegistryMsg, SagaState, Until, Version};
use shopapi_proto::orders::v1::WatchOrderResponse;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::status;
use crate::store::{OrderStore, TimelineView};
use crate::wire;

/// How long one wait for the next transition lasts before the timeline is read anyway.
const WAIT: Duration = Duration::from_secs(25);
/// What the registry gets on top.
const WAIT_MARGIN: Duration = Duration::from_secs(2);
/// Pause after a wait that failed, so that an outage is not met with a loop.
const PAUSE: Duration = Duration::from_secs(1);

/// The answer of WatchOrder.
pub(super) type Watched = Pin<Box<dyn Stream<Item = Result<WatchOrderResponse, Status>> + Send>>;

/// One live timeline.
pub(super) struct Watch {
    pub(super) registry: Mailbox<RegistryMsg>,
    pub(super) store: OrderStore,
    pub(super) order_id: OrderId,
    pub(super) customer_id: CustomerId,
    /// The last version that was sent.
    pub(super) seen: Version,
    /// Read and not sent.
    pub(super) entries: VecDeque<TimelineView>,
    pub(super) stop: StopSignal,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Watch {
    /// The stream; ends after the final entry, or when the service stops.
    pub(super) fn stream(self, final_seen: bool) -> Watched {
        let state = Some(self).filter(|watch| !final_seen || !watch.entries.is_empty());
        Box::pin(
            futures::stream::unfold(state, |state| async move {
                let mut watch = state?;
                let stop = watch.stop.clone();
                let entry = stop.run_until_cancelled(watch.next()).await?;
                let (entry, ended) = match entry {
                    Ok(entry) => {
                        watch.seen = entry.version;
                        let ended = watch.entries.is_empty() && is_final(&entry.saga_state);
                        let entry = Some(wire::orders::timeline_entry(entry));
                        (Ok(WatchOrderResponse { entry }), ended)
                    }
                    Err(status) => (Err(status), true),
                };
                Some((entry, Some(watch).filter(|_| !ended)))
            })
            .fuse(),
        )
    }

    async fn next(&mut self) -> Result<TimelineView, Status> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(entry);
            }
            self.moved().await;
            let more = self
                .store
                .timeline(self.order_id, self.customer_id, self.seen)
                .await
                .map_err(status::unread)?;
            self.entries.extend(more);
        }
    }

    /// Waits until the order is beyond what was sent, or for a while.
    async fn moved(&self) {
        let wish = |reply: Reply<Awaited>| {
            RegistryMsg::Await(Await {
                order_id: self.order_id,
                customer_id: Some(self.customer_id),
                until: Until::After(self.seen),
                at_most: WAIT,
                reply,
            })
        };
        match self.registry.ask(WAIT + WAIT_MARGIN, wish).await {
            Ok(Awaited::Order(_)) => {}
            Ok(Awaited::NotFound | Awaited::Unavailable) | Err(_) => {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether nothing follows by itself. A stuck order goes on when people have decided.
pub(super) fn is_final(saga_state: &str) -> bool {
    [SagaState::Completed, SagaState::Compensated]
        .iter()
        .any(|state| state.as_str() == saga_state)
}
