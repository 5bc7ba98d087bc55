//! The order tail: tells this replica's waiters when another replica has moved their order.
//!
//! ```text
//!   coordinator, idle, somebody waits ── Watch{order, version} ──▶ ┌──────────┐
//!   hint from another replica (at most once) ── Hint ────────────▶ │ OrderTail│ ── Moved ──▶ registry ──▶ coordinator reloads
//!   every 500 ms: store.versions(watched ids), one round trip ───▶ └──────────┘
//! ```
//!
//! A watch ends with its first report: a coordinator that goes on waiting watches again with the version it has read.
//!
//! **Invariant.** A lost hint costs at most one period, a lost watch at most the waiter's own deadline. Nothing is decided here.
//!
//! **Crash.** The watches are lost; coordinators renew them when they next idle, and every waiter has a deadline.

use std::collections::HashMap;
use std::sync::Arc;

use actor_kit::{Actor, ActorError, Ctx, Generation, Mailbox, TaskPanicked, Timer};
use tracing::debug;

use crate::ids::{OrderId, Version};
use crate::limits::SagaLimits;
use crate::messages::RegistryMsg;
use crate::ports::{OrderMoved, SagaStore, StoreUnavailable};

/// What the tail is told.
#[derive(Debug)]
pub enum TailMsg {
    /// Somebody here waits for this order to move beyond this version. From its coordinator.
    Watch(OrderMoved),
    /// Nobody waits any more. From its coordinator.
    Unwatch(OrderId),
    /// Another replica says so. From the subscriber of `hint.orders`.
    Hint(OrderMoved),
    /// The tail to itself.
    Own(TailOwn),
}

/// What the tail tells itself; opaque.
#[derive(Debug)]
pub struct TailOwn(Own);

#[derive(Debug)]
enum Own {
    TimerElapsed(Generation),
    VersionsRead(Result<Result<Vec<(OrderId, Version)>, StoreUnavailable>, TaskPanicked>),
}

/// The actor.
pub struct OrderTail {
    store: Arc<dyn SagaStore>,
    registry: Mailbox<RegistryMsg>,
    limits: Arc<SagaLimits>,
    watched: HashMap<OrderId, Version>,
    timer: Timer,
}

impl OrderTail {
    /// A tail that reads `store` and tells `registry`.
    #[must_use]
    pub fn new(
        store: Arc<dyn SagaStore>,
        registry: Mailbox<RegistryMsg>,
        limits: Arc<SagaLimits>,
    ) -> Self {
        Self {
            store,
            registry,
            limits,
            watched: HashMap::new(),
            timer: Timer::default(),
        }
    }

    fn on_watch(&mut self, watch: OrderMoved, ctx: &Ctx<Self>) {
        self.watched.insert(watch.order_id, watch.version);
        if !self.timer.is_armed() {
            self.arm(ctx);
        }
    }

    fn arm(&mut self, ctx: &Ctx<Self>) {
        self.timer.arm(ctx, self.limits.tail_every, |generation| {
            TailMsg::Own(TailOwn(Own::TimerElapsed(generation)))
        });
    }

    fn on_timer_elapsed(&mut self, generation: Generation, ctx: &Ctx<Self>) {
        if !self.timer.is_current(generation) || self.watched.is_empty() {
            return;
        }
        let ids = self.watched.keys().copied().collect();
        ctx.spawn_then(self.store.versions(ids), |read| {
            TailMsg::Own(TailOwn(Own::VersionsRead(read)))
        });
    }

    fn on_versions_read(
        &mut self,
        read: Result<Result<Vec<(OrderId, Version)>, StoreUnavailable>, TaskPanicked>,
        ctx: &Ctx<Self>,
    ) {
        match read {
            Ok(Ok(versions)) => {
                let moved = versions
                    .into_iter()
                    .map(|(order_id, version)| OrderMoved { order_id, version })
                    .collect();
                self.report(moved);
            }
            Ok(Err(StoreUnavailable)) => debug!("versions not read; trying again"),
            Err(panicked) => debug!(%panicked, "versions not read; trying again"),
        }
        if !self.watched.is_empty() {
            self.arm(ctx);
        }
    }

    /// Tells the registry about the watched ones among `moved` that are beyond what their waiters have seen.
    fn report(&mut self, moved: Vec<OrderMoved>) {
        let news: Vec<OrderMoved> = moved
            .into_iter()
            .filter(|now| {
                self.watched
                    .get(&now.order_id)
                    .is_some_and(|seen| now.version > *seen)
            })
            .collect();
        if news.is_empty() {
            return;
        }
        let ids: Vec<OrderId> = news.iter().map(|now| now.order_id).collect();
        if self.registry.try_send(RegistryMsg::Moved(news)).is_ok() {
            for id in ids {
                self.watched.remove(&id);
            }
        }
    }
}

impl Actor for OrderTail {
    type Msg = TailMsg;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: TailMsg) -> Result<(), ActorError> {
        match message {
            TailMsg::Watch(watch) => self.on_watch(watch, ctx),
            TailMsg::Unwatch(order_id) => drop(self.watched.remove(&order_id)),
            TailMsg::Hint(moved) => self.report(vec![moved]),
            TailMsg::Own(TailOwn(Own::TimerElapsed(generation))) => {
                self.on_timer_elapsed(generation, ctx);
            }
            TailMsg::Own(TailOwn(Own::VersionsRead(read))) => self.on_versions_read(read, ctx),
        }
        Ok(())
    }

    fn message_name(message: &TailMsg) -> &'static str {
        match message {
            TailMsg::Watch(_) => "tail.watch",
            TailMsg::Unwatch(_) => "tail.unwatch",
            TailMsg::Hint(_) => "tail.hint",
            TailMsg::Own(_) => "tail.read",
        }
    }
}
