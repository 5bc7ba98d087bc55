//! Orders that are not active: read together, started when they are there, refused when they are not.

use std::collections::HashSet;
use std::sync::Arc;

use actor_kit::{Ctx, Permit, TaskPanicked};
use tracing::{debug, error};

use super::SagaRegistry;
use super::own::{Inner, Own};
use crate::coordinator::CoordinatorMsg;
use crate::ids::OrderId;
use crate::messages::{Outcome, RegistryMsg};
use crate::ports::{Found, StoreUnavailable};

/// A message for an order that is being loaded. It keeps its sender's place in the registry's mailbox, so that a slow database cannot
/// pile them up.
pub(super) struct Parcel {
    message: CoordinatorMsg,
    _place: Option<Arc<Permit>>,
}

impl SagaRegistry {
    pub(super) async fn on_loaded(
        &mut self,
        ids: Vec<OrderId>,
        loaded: Result<Result<Vec<Found>, StoreUnavailable>, TaskPanicked>,
        ctx: &Ctx<Self>,
    ) {
        let (found, absent) = match loaded {
            Ok(Ok(found)) => (found, Refusal::NotFound),
            Ok(Err(StoreUnavailable)) => (vec![], Refusal::Unavailable),
            Err(panicked) => {
                error!(%panicked, "sagas not loaded");
                (vec![], Refusal::Unavailable)
            }
        };
        let mut unreadable = HashSet::new();
        for one in found {
            let snapshot = match one {
                Found::Saga(snapshot) => snapshot,
                Found::Unreadable(order_id) => {
                    unreadable.insert(order_id);
                    continue;
                }
            };
            let order_id = snapshot.saga.order.order_id;
            let Some(parcels) = self.loading.remove(&order_id) else {
                continue;
            };
            if !self.active.contains_key(&order_id) {
                self.start(snapshot, ctx).await;
            }
            for parcel in parcels {
                self.forward(order_id, parcel.message, ctx);
            }
        }
        for id in ids {
            // Whoever is told that there is no such order gives up for good: a customer's cancel, the consumer of an event.
            let outcome = if unreadable.contains(&id) {
                Refusal::Unavailable
            } else {
                absent
            };
            for parcel in self.loading.remove(&id).into_iter().flatten() {
                // It may have become active meanwhile, by a sweep.
                if self.active.contains_key(&id) {
                    self.forward(id, parcel.message, ctx);
                } else {
                    refuse(parcel.message, outcome);
                }
            }
        }
    }

    /// Forwards what is for active orders, and loads the others with one read.
    pub(super) fn forward_or_load(
        &mut self,
        messages: Vec<(OrderId, CoordinatorMsg)>,
        ctx: &Ctx<Self>,
    ) {
        let mut place: Option<Arc<Permit>> = None;
        let mut misses = vec![];
        for (order_id, message) in messages {
            if self.active.contains_key(&order_id) {
                self.forward(order_id, message, ctx);
                continue;
            }
            if place.is_none() {
                place = ctx.take_permit().map(Arc::new);
            }
            let parcels = self.loading.entry(order_id).or_default();
            if parcels.is_empty() {
                misses.push(order_id);
            }
            parcels.push(Parcel {
                message,
                _place: place.clone(),
            });
        }
        if misses.is_empty() {
            return;
        }
        ctx.spawn_then(self.links.store.load(misses.clone()), |loaded| {
            RegistryMsg::Own(Own(Inner::Loaded {
                ids: misses,
                loaded,
            }))
        });
    }
}

/// Why a message does not reach a coordinator.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    NotFound,
    Unavailable,
}

pub(super) fn refuse(message: CoordinatorMsg, why: Refusal) {
    match (message, why) {
        (CoordinatorMsg::Deliver(delivery), Refusal::NotFound) => {
            delivery.reply.send(Outcome::NotFound);
        }
        (CoordinatorMsg::Deliver(delivery), Refusal::Unavailable) => {
            delivery.reply.send(Outcome::Unavailable);
        }
        (CoordinatorMsg::Await(waiter), Refusal::NotFound) => waiter.not_found(),
        (CoordinatorMsg::Await(waiter), Refusal::Unavailable) => waiter.unavailable(),
        (CoordinatorMsg::Accept(birth), _) => birth.waiter.unavailable(),
        // Nobody waits for these; the stored deadline brings the saga back.
        (
            CoordinatorMsg::Note(_)
            | CoordinatorMsg::Wake
            | CoordinatorMsg::Moved(_)
            | CoordinatorMsg::Own(_),
            _,
        ) => debug!("a note did not reach its coordinator"),
    }
}
