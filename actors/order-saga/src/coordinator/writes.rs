//! The coordinator's writes: a decision goes to the journal, and its effects wait for the answer.

use actor_kit::batch::{WriteError, WriteResult, WriterMsg};
use actor_kit::{AskError, Ctx, TraceContext};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{error, warn};

use super::todo::Todo;
use super::waiters::Waiter;
use super::{Birth, CoordinatorMsg, Own, SagaCoordinator, Work};
use crate::ids::{EventId, OrderId, WriteId};
use crate::journal::{Accept, JournalEntry, Journaled, Transition};
use crate::messages::{Outcome, RegistryMsg};
use crate::ports::{OrderMoved, Snapshot};
use crate::registry::Own as RegistryOwn;
use crate::saga::{Next, SagaEvent, SagaStep};

impl SagaCoordinator {
    pub(super) fn on_accept(&mut self, birth: Birth, ctx: &Ctx<Self>) {
        let Birth { next, key, waiter } = birth;
        let trace = self.trace_of(ctx.context());
        let accept = Accept::from_next(&next, key, WriteId::random(), trace);
        self.work = Work::Accepting(Box::new((next, waiter)));
        self.submit(JournalEntry::Accept(Box::new(accept)), ctx);
    }

    /// Sends a decision to the journal. The end of a paid order is lazy when nobody waits for it: lost, it is found again.
    pub(super) fn write(&mut self, next: Next, todo: Todo, trace: TraceContext, ctx: &Ctx<Self>) {
        let expected = self.state.saga.version;
        let lazy = next.saga.step == SagaStep::Completed && !todo.is_awaited();
        let transition = Transition {
            lazy,
            accepted_at: Some(self.state.created_at),
            ..Transition::from_next(&next, expected, EventId::random(), WriteId::random(), trace)
        };
        let entry = JournalEntry::Transition(Box::new(transition));
        if lazy {
            // When it is lost, the deadline that still stands leads here again.
            drop(self.links.journal.try_send(WriterMsg::lazy(entry)));
            self.doubtful = true;
            return;
        }
        self.work = Work::Writing(Box::new((next, todo)));
        self.submit(entry, ctx);
    }

    fn submit(&self, entry: JournalEntry, ctx: &Ctx<Self>) {
        ctx.ask_then(
            &self.links.journal,
            self.links.limits.journal_write,
            |reply| WriterMsg::submit(entry, reply),
            |answer| {
                let result = answer.unwrap_or_else(|error| Err(WriteError::Ask(error)));
                CoordinatorMsg::Own(Own::Written(result))
            },
        );
    }

    pub(super) fn on_written(&mut self, result: WriteResult<Journaled>, ctx: &Ctx<Self>) {
        match std::mem::replace(&mut self.work, Work::Idle) {
            Work::Accepting(accepting) => {
                let (next, waiter) = *accepting;
                self.on_accepted(next, waiter, result, ctx);
            }
            Work::Writing(writing) => {
                let (next, todo) = *writing;
                self.on_step_written(next, todo, result, ctx);
            }
            work @ (Work::Idle | Work::Loading(_)) => self.work = work,
        }
    }

    fn on_accepted(
        &mut self,
        next: Next,
        waiter: Waiter,
        result: WriteResult<Journaled>,
        ctx: &Ctx<Self>,
    ) {
        match result {
            Ok(Journaled::Accepted { at }) => {
                self.state.created_at = at;
                let trace = self.trace_of(ctx.context());
                self.commit(next, at, &trace, ctx);
                self.on_await(waiter);
            }
            Ok(Journaled::KeyTaken {
                order_id,
                same_fingerprint,
            }) => {
                self.doubtful = true;
                if same_fingerprint {
                    self.replay(order_id, waiter);
                } else {
                    waiter.key_reused(order_id);
                }
            }
            Err(WriteError::Poisoned) => {
                error!(order_id = %self.state.saga.order.order_id, "the database refuses the order");
                self.doubtful = true;
                waiter.poisoned();
            }
            Ok(Journaled::Written { .. } | Journaled::Stale | Journaled::Marked)
            | Err(WriteError::Unavailable | WriteError::Ask(_)) => {
                self.doubtful = true;
                waiter.unavailable();
            }
        }
    }

    /// The same request came before: its caller waits on that order like the first caller did.
    fn replay(&self, order_id: OrderId, waiter: Waiter) {
        let replay = RegistryMsg::Own(RegistryOwn::replay(order_id, waiter.replayed()));
        // With the registry full the waiter's port is dropped, and its caller tries again.
        drop(self.links.registry.try_send(replay));
    }

    fn on_step_written(
        &mut self,
        next: Next,
        todo: Todo,
        result: WriteResult<Journaled>,
        ctx: &Ctx<Self>,
    ) {
        match result {
            Ok(Journaled::Written { at }) => {
                let trace = self.trace_of(todo.trace.clone());
                self.commit(next, at, &trace, ctx);
                todo.answer(Outcome::Moved(self.state.clone()));
            }
            Ok(Journaled::Stale) => self.load(Some(todo), ctx),
            Err(WriteError::Poisoned) => self.on_poisoned(todo),
            // The writer had no place: nothing was written, and the stored step's deadline comes back to it.
            Err(WriteError::Ask(AskError::Full)) => todo.answer(Outcome::Unavailable),
            Ok(Journaled::Accepted { .. } | Journaled::KeyTaken { .. } | Journaled::Marked)
            | Err(WriteError::Unavailable | WriteError::Ask(AskError::Gone | AskError::Timeout)) => {
                warn!(order_id = %self.state.saga.order.order_id, event = todo.event.name(),
                    "the outcome of a write is unknown");
                self.doubtful = true;
                todo.answer(Outcome::Unavailable);
            }
        }
    }

    /// The database refuses what the event leads to. The sender of an event can set it aside; what comes from the saga itself would
    /// come again for ever, so the saga is set aside.
    fn on_poisoned(&mut self, todo: Todo) {
        error!(order_id = %self.state.saga.order.order_id, event = todo.event.name(),
            "the database refuses a step of the saga");
        let set_aside =
            !todo.is_awaited() && !matches!(todo.event, SagaEvent::HandlingPanicked { .. });
        let trace = todo.trace.clone();
        todo.answer(Outcome::Poisoned);
        if set_aside {
            let poison = SagaEvent::HandlingPanicked { times: 1 };
            self.queue.push_front(Todo::own(poison, trace));
        }
    }

    /// A transition is stored: from here on it is the truth, and its effects run.
    fn commit(&mut self, next: Next, at: OffsetDateTime, trace: &TraceContext, ctx: &Ctx<Self>) {
        self.state = Snapshot {
            saga: next.saga,
            created_at: self.state.created_at,
            updated_at: at,
        };
        if let Some(hints) = &self.links.hints {
            // Other replicas poll too: a hint that finds no place is not missed.
            hints
                .try_send(OrderMoved {
                    order_id: self.state.saga.order.order_id,
                    version: self.state.saga.version,
                })
                .ok();
        }
        self.run(next.volatile, trace, ctx);
        self.waiters.tell(&self.state, Instant::now());
    }
}
