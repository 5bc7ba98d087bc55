//! What a coordinator does when nothing runs: it stays for those who wait, or asks to retire.

use actor_kit::{AskError, Ctx, Generation};
use tokio::time::Instant;

use super::waiters::Waiter;
use super::{CoordinatorMsg, Own, SagaCoordinator};
use crate::ids::Version;
use crate::messages::RegistryMsg;
use crate::ports::OrderMoved;
use crate::registry::Own as RegistryOwn;
use crate::tail::TailMsg;

impl SagaCoordinator {
    pub(super) fn on_await(&mut self, waiter: Waiter) {
        if waiter.is_foreign(&self.state) {
            return waiter.not_found();
        }
        match self
            .waiters
            .add(waiter, self.links.limits.waiters_per_order)
        {
            // A doubtful state is told after it has been read again.
            Ok(()) if self.doubtful => self.wants_news = true,
            Ok(()) => self.waiters.tell(&self.state, Instant::now()),
            Err(waiter) => waiter.unavailable(),
        }
    }

    pub(super) fn on_moved(&mut self, version: Version) {
        // The tail's watch has ended with this report.
        self.watched = None;
        if version > self.state.saga.version {
            self.doubtful = true;
            self.wants_news = true;
        }
    }

    pub(super) fn on_waiters_due(&mut self, generation: Generation) {
        if self.due_timer.is_current(generation) {
            self.due_at = None;
            self.waiters.tell(&self.state, Instant::now());
        }
    }

    pub(super) fn on_may_retire(&mut self, answer: Result<bool, AskError>, ctx: &Ctx<Self>) {
        self.retiring = false;
        match answer {
            Ok(true) if self.is_idle() && self.waiters.is_empty() => ctx.stop(),
            // Something is on its way to us, and asks again when it is done.
            Ok(_) => {}
            Err(_) => {
                self.retiring = true;
                let again = self.links.limits.retire_again;
                self.retire_timer.arm(ctx, again, |generation| {
                    CoordinatorMsg::Own(Own::RetireAgain(generation))
                });
            }
        }
    }

    pub(super) fn on_retire_again(&mut self, generation: Generation) {
        if self.retire_timer.is_current(generation) {
            self.retiring = false;
        }
    }

    pub(super) fn arm_for_waiters(&mut self, ctx: &Ctx<Self>) {
        let Some(due) = self.waiters.next_due(Instant::now()) else {
            return;
        };
        if self.due_at.is_some_and(|armed| armed <= due) {
            return;
        }
        self.due_at = Some(due);
        let after = due.saturating_duration_since(Instant::now());
        self.due_timer.arm(ctx, after, |generation| {
            CoordinatorMsg::Own(Own::WaitersDue(generation))
        });
    }

    /// Nothing runs here, so whoever moves the order next may be another replica.
    pub(super) fn watch(&mut self) {
        let version = self.state.saga.version;
        if self.watched == Some(version) {
            return;
        }
        let watch = TailMsg::Watch(OrderMoved {
            order_id: self.state.saga.order.order_id,
            version,
        });
        // With the tail's mailbox full the waiters still have their deadlines.
        if self.links.tail.try_send(watch).is_ok() {
            self.watched = Some(version);
        }
    }

    pub(super) fn retire(&mut self, ctx: &Ctx<Self>) {
        if self.watched.take().is_some() {
            let unwatch = TailMsg::Unwatch(self.state.saga.order.order_id);
            // A watch that stays ends with the order's next move.
            drop(self.links.tail.try_send(unwatch));
        }
        if self.retiring {
            return;
        }
        self.retiring = true;
        let (order_id, incarnation, received) = (
            self.state.saga.order.order_id,
            self.incarnation,
            self.received,
        );
        ctx.ask_then(
            &self.links.registry,
            self.links.limits.retire_answer,
            |reply| RegistryMsg::Own(RegistryOwn::retire(order_id, incarnation, received, reply)),
            |answer| CoordinatorMsg::Own(Own::MayRetire(answer)),
        );
    }
}
