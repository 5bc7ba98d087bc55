//! The registry of active orders: one coordinator per order, found or started, and the only one who sends to it.
//!
//! ```text
//!   Create ─────────────▶ start a coordinator ─▶ Accept
//!   Deliver, Await ─────▶ active? ──yes──▶ forward (counted)
//!                            └──no──▶ one load for all misses ─▶ start, forward
//!   Resume (due sagas) ─▶ active? forward : start with what the claim read
//!   Retire(received) ───▶ everything sent was received? forget it, it stops : it stays
//!   a child crashed ────▶ load, start a successor that asks again; the third time set the saga aside
//! ```
//!
//! **Invariants.** At most one living coordinator per order is known here. A message is never lost silently: when it cannot be
//! forwarded, its port is answered. A retiring coordinator is forgotten only when it has received everything that was sent to it.
//!
//! **Crash.** Its coordinators end with it. Stored sagas are resumed by their deadlines, senders deliver again.

mod loading;
mod own;
mod panics;

use std::collections::HashMap;

use actor_kit::{Actor, ActorError, ChildId, Ctx, Exit, Mailbox, Reply};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::error;

use crate::coordinator::waiters::Waiter;
use crate::coordinator::{Birth, CoordinatorMsg, SagaCoordinator};
use crate::ids::OrderId;
use crate::links::Links;
use crate::messages::{Await, Create, Delivery, RegistryMsg, RegistryView};
use crate::metrics;
use crate::ports::{OrderMoved, Snapshot};
use crate::saga::{Inputs, SagaEvent, accept};
use loading::{Parcel, Refusal, refuse};
use own::Inner;
pub(crate) use own::Own;
use panics::Panics;

/// The actor.
pub struct SagaRegistry {
    links: Links,
    active: HashMap<OrderId, Active>,
    children: HashMap<ChildId, OrderId>,
    loading: HashMap<OrderId, Vec<Parcel>>,
    panics: HashMap<OrderId, Panics>,
    incarnations: u64,
}

struct Active {
    child: ChildId,
    incarnation: u64,
    mailbox: Mailbox<CoordinatorMsg>,
    sent: u64,
}

impl SagaRegistry {
    /// A registry with no order active.
    #[must_use]
    pub fn new(links: Links) -> Self {
        metrics::born();
        Self {
            links,
            active: HashMap::new(),
            children: HashMap::new(),
            loading: HashMap::new(),
            panics: HashMap::new(),
            incarnations: 0,
        }
    }

    async fn on_create(&mut self, create: Create, ctx: &Ctx<Self>) {
        let limits = &self.links.limits;
        let inputs = Inputs {
            limits,
            jitter: (self.links.jitter)(),
        };
        let order_id = create.order.order_id;
        let next = accept(create.order, &inputs);
        let waiter = Waiter::creating(
            create.reply,
            create.wait,
            limits.inventory_call,
            Instant::now(),
        );
        let unborn = Snapshot {
            saga: next.saga.clone(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        let birth = Box::new(Birth {
            next,
            key: create.key,
            waiter,
        });
        self.start(unborn, ctx).await;
        self.forward(order_id, CoordinatorMsg::Accept(birth), ctx);
    }

    fn on_deliver(&mut self, deliveries: Vec<Delivery>, ctx: &Ctx<Self>) {
        let messages = deliveries
            .into_iter()
            .map(|delivery| (delivery.order_id, CoordinatorMsg::Deliver(delivery)))
            .collect();
        self.forward_or_load(messages, ctx);
    }

    fn on_await(&mut self, wish: Await, ctx: &Ctx<Self>) {
        let waiter = Waiter::awaiting(wish.reply, wish.until, wish.at_most, Instant::now())
            .of_customer(wish.customer_id);
        self.forward_or_load(vec![(wish.order_id, CoordinatorMsg::Await(waiter))], ctx);
    }

    async fn on_resume(&mut self, due: Vec<Snapshot>, reply: Reply<usize>, ctx: &Ctx<Self>) {
        for snapshot in due {
            let order_id = snapshot.saga.order.order_id;
            if !self.active.contains_key(&order_id) {
                self.start(snapshot, ctx).await;
            }
            self.forward(
                order_id,
                CoordinatorMsg::Note(SagaEvent::DeadlinePassed),
                ctx,
            );
        }
        reply.send(self.active.len());
    }

    fn on_moved(&mut self, moved: Vec<OrderMoved>, ctx: &Ctx<Self>) {
        for OrderMoved { order_id, version } in moved {
            if self.active.contains_key(&order_id) {
                self.forward(order_id, CoordinatorMsg::Moved(version), ctx);
            }
        }
    }

    fn on_retire(&mut self, order_id: OrderId, incarnation: u64, received: u64) -> bool {
        match self.active.get(&order_id) {
            Some(active) if active.incarnation == incarnation && active.sent != received => false,
            Some(active) if active.incarnation == incarnation => {
                self.active.remove(&order_id);
                metrics::coordinators(self.active.len());
                true
            }
            // Forgotten earlier; its answer was lost.
            Some(_) | None => true,
        }
    }

    fn forward(&mut self, order_id: OrderId, message: CoordinatorMsg, ctx: &Ctx<Self>) {
        let Some(active) = self.active.get_mut(&order_id) else {
            return refuse(message, Refusal::Unavailable);
        };
        let trace = match &message {
            CoordinatorMsg::Deliver(delivery) if delivery.trace.is_valid() => {
                delivery.trace.clone()
            }
            _ => ctx.context(),
        };
        match active.mailbox.try_send_with(message, trace) {
            Ok(()) => active.sent += 1,
            // Full: its senders are too many. Gone: it has crashed, and its end is on its way here.
            Err(error) => refuse(error.into_message(), Refusal::Unavailable),
        }
    }

    async fn start(&mut self, snapshot: Snapshot, ctx: &Ctx<Self>) {
        let order_id = snapshot.saga.order.order_id;
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let coordinator = SagaCoordinator::new(self.links.clone(), incarnation, snapshot);
        let capacity = self.links.limits.coordinator_mailbox;
        match ctx
            .spawn_child(format!("saga/{order_id}"), capacity, coordinator)
            .await
        {
            Ok((child, mailbox)) => {
                self.children.insert(child, order_id);
                self.active.insert(
                    order_id,
                    Active {
                        child,
                        incarnation,
                        mailbox,
                        sent: 0,
                    },
                );
                metrics::coordinators(self.active.len());
            }
            Err(error) => error!(%order_id, %error, "a coordinator did not start"),
        }
    }
}

impl Actor for SagaRegistry {
    type Msg = RegistryMsg;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: RegistryMsg) -> Result<(), ActorError> {
        match message {
            RegistryMsg::Create(create) => self.on_create(*create, ctx).await,
            RegistryMsg::Deliver(deliveries) => self.on_deliver(deliveries, ctx),
            RegistryMsg::Await(wish) => self.on_await(wish, ctx),
            RegistryMsg::Resume { due, reply } => self.on_resume(due, reply, ctx).await,
            RegistryMsg::Moved(moved) => self.on_moved(moved, ctx),
            RegistryMsg::Inspect { reply } => reply.send(RegistryView {
                active: self.active.len(),
                loading: self.loading.len(),
            }),
            RegistryMsg::Own(Own(Inner::Retire {
                order_id,
                incarnation,
                received,
                reply,
            })) => reply.send(self.on_retire(order_id, incarnation, received)),
            RegistryMsg::Own(Own(Inner::Replay { order_id, waiter })) => {
                self.forward_or_load(vec![(order_id, CoordinatorMsg::Await(waiter))], ctx);
            }
            RegistryMsg::Own(Own(Inner::Loaded { ids, loaded })) => {
                self.on_loaded(ids, loaded, ctx).await;
            }
        }
        Ok(())
    }

    async fn child_exited(
        &mut self,
        ctx: &Ctx<Self>,
        child: ChildId,
        exit: Exit,
    ) -> Result<(), ActorError> {
        let Some(order_id) = self.children.remove(&child) else {
            return Ok(());
        };
        if self
            .active
            .get(&order_id)
            .is_some_and(|active| active.child == child)
        {
            self.active.remove(&order_id);
            metrics::coordinators(self.active.len());
        }
        if let Exit::Crashed(why) = exit {
            self.on_crashed(order_id, &why, ctx);
        }
        Ok(())
    }

    fn order_of(&self, message: &RegistryMsg) -> Option<i64> {
        match message {
            RegistryMsg::Create(create) => Some(create.order.order_id.0),
            RegistryMsg::Await(wish) => Some(wish.order_id.0),
            RegistryMsg::Own(Own(
                Inner::Retire { order_id, .. } | Inner::Replay { order_id, .. },
            )) => Some(order_id.0),
            RegistryMsg::Deliver(_)
            | RegistryMsg::Resume { .. }
            | RegistryMsg::Moved(_)
            | RegistryMsg::Inspect { .. }
            | RegistryMsg::Own(Own(Inner::Loaded { .. })) => None,
        }
    }

    fn message_name(message: &RegistryMsg) -> &'static str {
        match message {
            RegistryMsg::Create(_) => "registry.create",
            RegistryMsg::Deliver(_) => "registry.deliver",
            RegistryMsg::Await(_) => "registry.await",
            RegistryMsg::Resume { .. } => "registry.resume",
            RegistryMsg::Moved(_) => "registry.moved",
            RegistryMsg::Inspect { .. } => "registry.inspect",
            RegistryMsg::Own(Own(Inner::Retire { .. })) => "registry.retire",
            RegistryMsg::Own(Own(Inner::Replay { .. })) => "registry.replay",
            RegistryMsg::Own(Own(Inner::Loaded { .. })) => "registry.loaded",
        }
    }
}
