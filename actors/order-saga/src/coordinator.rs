//! The coordinator of one active order. It owns the order's step on this replica for as long as something runs or somebody waits.
//!
//! ```text
//!   event ──▶ step(&saga, event) ──▶ Next ──▶ journal ──▶ Written ──▶ ask inventory, payments ──▶ answers come back as events
//!                   │                            │            └─────▶ answer the sender, tell who waits
//!                   ├─▶ Ignore: answer           └─▶ Stale: load, step the same event again
//!                   └─▶ Illegal, or a refusal: load once, step again; the same again: answer
//! ```
//!
//! **Invariants.** One event at a time: the next is taken when the one before is committed or dropped. A sender is answered only after
//! a commit or an `Ignore`. Nothing leaves the process before the commit it follows from. The handler never awaits.
//!
//! **Crash.** It is Temporary: the registry loads the saga and starts a successor, which asks again what the stored step needs. Senders
//! and waiters learn that their port was dropped. Two coordinators of one order, here or on another replica, are harmless: the version
//! lets one of them write.

mod asks;
mod messages;
mod rest;
mod todo;
pub(crate) mod waiters;
mod writes;

use std::collections::VecDeque;

use actor_kit::{Actor, ActorError, Ctx, Permit, TaskPanicked, Timer, TraceContext};
use tokio::time::Instant;
use tracing::{error, info_span};

use crate::ids::Version;
use crate::links::Links;
use crate::messages::{Delivery, Outcome};
use crate::metrics;
use crate::ports::{Found, Snapshot, StoreUnavailable};
use crate::saga::{Call, Inputs, Next, SagaEvent, SagaState, Stepped, resume, step};
use messages::Own;
pub(crate) use messages::{Birth, CoordinatorMsg};
use todo::Todo;
use waiters::{Waiter, Waiters};

/// The actor.
pub(crate) struct SagaCoordinator {
    links: Links,
    /// Tells the registry this coordinator from earlier and later ones of the same order.
    incarnation: u64,
    state: Snapshot,
    /// What is stored may differ from `state`: load before the next decision.
    doubtful: bool,
    /// Somebody waits for what is stored. A read that fails is not repeated at once: the tail reports again.
    wants_news: bool,
    work: Work,
    queue: VecDeque<Todo>,
    waiters: Waiters,
    /// Questions without an answer yet.
    questions: u32,
    /// Messages of the registry taken so far.
    received: u64,
    retiring: bool,
    /// The version that the tail compares with, while it does.
    watched: Option<Version>,
    due_timer: Timer,
    due_at: Option<Instant>,
    retire_timer: Timer,
}

/// What keeps the next event waiting.
enum Work {
    Idle,
    /// A new order is being written.
    Accepting(Box<(Next, Waiter)>),
    /// A step is being written, because of this event.
    Writing(Box<(Next, Todo)>),
    /// The saga is being read, because of this event or of news from the tail.
    Loading(Option<Box<Todo>>),
}

impl SagaCoordinator {
    pub(crate) fn new(links: Links, incarnation: u64, state: Snapshot) -> Self {
        Self {
            links,
            incarnation,
            state,
            doubtful: false,
            wants_news: false,
            work: Work::Idle,
            queue: VecDeque::new(),
            waiters: Waiters::default(),
            questions: 0,
            received: 0,
            retiring: false,
            watched: None,
            due_timer: Timer::default(),
            due_at: None,
            retire_timer: Timer::default(),
        }
    }

    fn on_deliver(&mut self, delivery: Delivery, permit: Option<Permit>) {
        let order = &self.state.saga.order;
        let foreign = |customer| customer != order.customer_id;
        if delivery.customer_id.is_some_and(foreign) {
            return delivery.reply.send(Outcome::NotFound);
        }
        self.queue.push_back(Todo::delivered(delivery, permit));
    }

    fn on_wake(&mut self, ctx: &Ctx<Self>) {
        // Whatever runs already asks what is needed.
        if self.is_idle() && self.questions == 0 {
            let trace = self.trace_of(ctx.context());
            self.run(resume(&self.state.saga), &trace, ctx);
        }
    }

    fn on_answered(&mut self, event: SagaEvent, trace: TraceContext) {
        self.questions = self.questions.saturating_sub(1);
        self.queue.push_back(Todo::own(event, trace));
    }

    fn on_loaded(&mut self, loaded: Result<Result<Vec<Found>, StoreUnavailable>, TaskPanicked>) {
        let Work::Loading(todo) = std::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        match loaded {
            Ok(Ok(mut found)) => match found.pop() {
                Some(Found::Saga(snapshot)) => {
                    self.state = snapshot;
                    self.doubtful = false;
                    self.waiters.tell(&self.state, Instant::now());
                    if let Some(todo) = todo {
                        self.queue.push_front(todo.reloaded());
                    }
                }
                Some(Found::Unreadable(_)) => self.not_loaded(todo),
                None => self.end_as_not_found(todo),
            },
            Ok(Err(StoreUnavailable)) | Err(_) => self.not_loaded(todo),
        }
    }

    fn not_loaded(&mut self, todo: Option<Box<Todo>>) {
        self.doubtful = true;
        if let Some(todo) = todo {
            todo.answer(Outcome::Unavailable);
        }
    }

    /// The order was never accepted.
    fn end_as_not_found(&mut self, todo: Option<Box<Todo>>) {
        self.doubtful = true;
        if let Some(todo) = todo {
            todo.answer(Outcome::NotFound);
        }
        for todo in self.queue.drain(..) {
            todo.answer(Outcome::NotFound);
        }
        self.waiters.end_all(Waiter::not_found);
    }

    fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle) && self.queue.is_empty()
    }

    /// Takes the next events while nothing keeps them waiting, then sees to those who wait, or to retiring.
    fn settle(&mut self, ctx: &Ctx<Self>) {
        while matches!(self.work, Work::Idle) {
            match self.queue.pop_front() {
                Some(todo) => self.decide(todo, ctx),
                None if self.wants_news && !self.waiters.is_empty() => self.load(None, ctx),
                None => break,
            }
        }
        ctx.doing(self.state.saga.step.name());
        self.arm_for_waiters(ctx);
        if self.is_idle() && self.questions == 0 {
            if self.waiters.is_empty() {
                self.retire(ctx);
            } else {
                self.watch();
            }
        }
    }

    /// What one event means now.
    fn decide(&mut self, todo: Todo, ctx: &Ctx<Self>) {
        if self.doubtful {
            return self.load(Some(todo), ctx);
        }
        let saga = &self.state.saga;
        if todo
            .expected
            .is_some_and(|expected| expected != saga.version)
        {
            // What is held here may be as old as what the operator looked at.
            return if todo.reloaded {
                todo.answer(Outcome::Superseded(self.state.clone()));
            } else {
                self.load(Some(todo), ctx);
            };
        }
        let trace = self.trace_of(todo.trace.clone());
        let (span, here) = trace.child(|| {
            info_span!(
                "saga",
                otel.name = format_args!("saga {}", saga.step.name()),
                otel.status_code = tracing::field::Empty,
                order.id = saga.order.order_id.0,
                saga.step = saga.step.name(),
                saga.state = tracing::field::Empty,
                saga.event = todo.event.name(),
            )
        });
        let _entered = span.enter();
        let inputs = Inputs {
            limits: &self.links.limits,
            jitter: (self.links.jitter)(),
        };
        match step(saga, &todo.event, &inputs) {
            Stepped::Next(next) => {
                if next.saga.saga_state() == SagaState::Stuck {
                    // The collector keeps traces of orders that are set aside, whatever else it samples.
                    span.record("saga.state", SagaState::Stuck.as_str());
                }
                self.write(next, todo, here, ctx);
            }
            Stepped::Ignore(why) if why.refuses() && !todo.reloaded => self.load(Some(todo), ctx),
            Stepped::Ignore(why) => {
                if matches!(
                    todo.event,
                    SagaEvent::Unanswered(Call::Reserve) | SagaEvent::Refused(Call::Reserve)
                ) {
                    self.waiters.give_up_on_stock(&self.state, Instant::now());
                }
                todo.answer(Outcome::Ignored(why, self.state.clone()));
            }
            Stepped::Illegal if todo.reloaded => {
                metrics::illegal_event();
                span.record("otel.status_code", "ERROR");
                error!(order_id = %saga.order.order_id, step = saga.step.name(), event = todo.event.name(),
                    "the event contradicts the saga");
                todo.answer(Outcome::Illegal(self.state.clone()));
            }
            Stepped::Illegal => self.load(Some(todo), ctx),
        }
    }

    fn load(&mut self, todo: Option<Todo>, ctx: &Ctx<Self>) {
        self.wants_news = false;
        self.work = Work::Loading(todo.map(Box::new));
        let id = self.state.saga.order.order_id;
        ctx.spawn_then(self.links.store.load(vec![id]), |loaded| {
            CoordinatorMsg::Own(Own::Loaded(loaded))
        });
    }

    /// Work that nobody's message causes belongs to the order's own trace.
    fn trace_of(&self, trace: TraceContext) -> TraceContext {
        if trace.is_valid() {
            trace
        } else {
            self.state.saga.order.trace.clone()
        }
    }
}

impl Actor for SagaCoordinator {
    type Msg = CoordinatorMsg;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: CoordinatorMsg) -> Result<(), ActorError> {
        if !matches!(message, CoordinatorMsg::Own(_)) {
            self.received += 1;
        }
        match message {
            CoordinatorMsg::Accept(birth) => self.on_accept(*birth, ctx),
            CoordinatorMsg::Deliver(delivery) => self.on_deliver(delivery, ctx.take_permit()),
            CoordinatorMsg::Note(event) => {
                self.queue.push_back(Todo::own(event, ctx.context()));
            }
            CoordinatorMsg::Await(waiter) => self.on_await(waiter),
            CoordinatorMsg::Wake => self.on_wake(ctx),
            CoordinatorMsg::Moved(version) => self.on_moved(version),
            CoordinatorMsg::Own(Own::Answered(event)) => self.on_answered(event, ctx.context()),
            CoordinatorMsg::Own(Own::Written(result)) => self.on_written(result, ctx),
            CoordinatorMsg::Own(Own::Loaded(loaded)) => self.on_loaded(loaded),
            CoordinatorMsg::Own(Own::WaitersDue(generation)) => self.on_waiters_due(generation),
            CoordinatorMsg::Own(Own::MayRetire(answer)) => self.on_may_retire(answer, ctx),
            CoordinatorMsg::Own(Own::RetireAgain(generation)) => self.on_retire_again(generation),
        }
        self.settle(ctx);
        Ok(())
    }

    fn order_of(&self, _: &CoordinatorMsg) -> Option<i64> {
        Some(self.state.saga.order.order_id.0)
    }

    fn message_name(message: &CoordinatorMsg) -> &'static str {
        message.name()
    }
}
