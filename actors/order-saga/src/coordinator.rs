//! The coordinator of one active order. It owns the order's step on this replica for as long as something runs or somebody waits.
//!
//! ```text
//!   event ──▶ step(&saga, event) ──▶ Next ──▶ journal ──▶ Written ──▶ ask inventory, payments ──▶ answers come back as events
//!                   │                            │            └─────▶ answer the sender, tell who waits
//!                   ├─▶ Ignore: answer           └─▶ Stale: load, step the same event again
//!                   └─▶ Illegal: load once, step again; illegal again: answer
//! ```
//!
//! **Invariants.** One event at a time: the next is taken when the one before is committed or dropped. A sender is answered only after
//! a commit or an `Ignore`. Nothing leaves the process before the commit it follows from. The handler never awaits.
//!
//! **Crash.** It is Temporary: the registry loads the saga and starts a successor, which asks again what the stored step needs. Senders
//! and waiters learn that their port was dropped. Two coordinators of one order, here or on another replica, are harmless: the version
//! lets one of them write.

mod asks;
mod todo;
pub(crate) mod waiters;
mod writes;

use std::collections::VecDeque;

use actor_kit::batch::WriteResult;
use actor_kit::{
    Actor, ActorError, AskError, Ctx, Generation, Permit, TaskPanicked, Timer, TraceContext,
};
use tokio::time::Instant;
use tracing::{error, info_span};

use crate::ids::Version;
use crate::journal::{IdempotencyKey, Journaled};
use crate::links::Links;
use crate::messages::{Delivery, Outcome, RegistryMsg};
use crate::ports::{OrderMoved, Snapshot, StoreUnavailable};
use crate::registry::Own as RegistryOwn;
use crate::saga::{Call, Inputs, Next, SagaEvent, Stepped, resume, step};
use crate::tail::TailMsg;
use todo::Todo;
use waiters::{Waiter, Waiters};

/// What a coordinator is told; all but `Own` come from the registry, which counts them.
#[derive(Debug)]
pub(crate) enum CoordinatorMsg {
    /// Write this order, then begin. The first message of a new order's coordinator.
    Accept(Box<Birth>),
    /// Something happened to the order.
    Deliver(Delivery),
    /// Nobody asks for the outcome: a deadline, a panic.
    Note(SagaEvent),
    /// Somebody waits.
    Await(Waiter),
    /// A predecessor crashed: ask again what the stored step needs.
    Wake,
    /// Another replica has moved the order.
    Moved(Version),
    /// From the coordinator to itself.
    Own(Own),
}

/// What a new order begins with.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) next: Next,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) waiter: Waiter,
}

#[derive(Debug)]
pub(crate) enum Own {
    /// A question has its answer, or none.
    Answered(SagaEvent),
    /// The journal has decided.
    Written(WriteResult<Journaled>),
    /// The saga was read again.
    Loaded(Result<Result<Vec<Snapshot>, StoreUnavailable>, TaskPanicked>),
    /// Somebody's time is up.
    WaitersDue(Generation),
    /// The registry says whether it has forgotten us.
    MayRetire(Result<bool, AskError>),
    /// Time to ask again.
    RetireAgain(Generation),
}

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

    fn on_await(&mut self, waiter: Waiter) {
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

    fn on_wake(&mut self, ctx: &Ctx<Self>) {
        // Whatever runs already asks what is needed.
        if self.is_idle() && self.questions == 0 {
            let trace = self.trace_of(ctx.context());
            self.run(resume(&self.state.saga), &trace, ctx);
        }
    }

    fn on_moved(&mut self, version: Version) {
        // The tail's watch has ended with this report.
        self.watched = None;
        if version > self.state.saga.version {
            self.doubtful = true;
            self.wants_news = true;
        }
    }

    fn on_answered(&mut self, event: SagaEvent, trace: TraceContext) {
        self.questions = self.questions.saturating_sub(1);
        self.queue.push_back(Todo::own(event, trace));
    }

    fn on_loaded(&mut self, loaded: Result<Result<Vec<Snapshot>, StoreUnavailable>, TaskPanicked>) {
        let Work::Loading(todo) = std::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        match loaded {
            Ok(Ok(mut found)) => match found.pop() {
                Some(snapshot) => {
                    self.state = snapshot;
                    self.doubtful = false;
                    self.waiters.tell(&self.state, Instant::now());
                    if let Some(todo) = todo {
                        self.queue.push_front(todo.reloaded());
                    }
                }
                None => self.end_as_not_found(todo),
            },
            Ok(Err(StoreUnavailable)) | Err(_) => {
                self.doubtful = true;
                if let Some(todo) = todo {
                    todo.answer(Outcome::Unavailable);
                }
            }
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

    fn on_waiters_due(&mut self, generation: Generation) {
        if self.due_timer.is_current(generation) {
            self.due_at = None;
            self.waiters.tell(&self.state, Instant::now());
        }
    }

    fn on_may_retire(&mut self, answer: Result<bool, AskError>, ctx: &Ctx<Self>) {
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

    fn on_retire_again(&mut self, generation: Generation) {
        if self.retire_timer.is_current(generation) {
            self.retiring = false;
        }
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
        let trace = self.trace_of(todo.trace.clone());
        let span = info_span!(
            "saga.step",
            "order.id" = saga.order.order_id.0,
            "saga.step" = saga.step.name(),
            "saga.event" = todo.event.name(),
        );
        trace.parent_of(&span);
        let _entered = span.enter();
        let inputs = Inputs {
            limits: &self.links.limits,
            jitter: (self.links.jitter)(),
        };
        match step(saga, &todo.event, &inputs) {
            Stepped::Next(next) => {
                let here = TraceContext::of(&span);
                let trace = if here.is_valid() { here } else { trace };
                self.write(next, todo, trace, ctx);
            }
            Stepped::Ignore(why) => {
                if todo.event == SagaEvent::Unanswered(Call::Reserve) {
                    self.waiters.give_up_on_stock(&self.state, Instant::now());
                }
                todo.answer(Outcome::Ignored(why, self.state.clone()));
            }
            Stepped::Illegal if todo.reloaded => {
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

    fn arm_for_waiters(&mut self, ctx: &Ctx<Self>) {
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
    fn watch(&mut self) {
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

    fn retire(&mut self, ctx: &Ctx<Self>) {
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

    fn message_name(message: &CoordinatorMsg) -> &'static str {
        match message {
            CoordinatorMsg::Accept(_) => "saga.accept",
            CoordinatorMsg::Deliver(delivery) => delivery.event.name(),
            CoordinatorMsg::Note(event) | CoordinatorMsg::Own(Own::Answered(event)) => event.name(),
            CoordinatorMsg::Await(_) => "saga.await",
            CoordinatorMsg::Wake => "saga.wake",
            CoordinatorMsg::Moved(_) => "saga.moved",
            CoordinatorMsg::Own(Own::Written(_)) => "saga.written",
            CoordinatorMsg::Own(Own::Loaded(_)) => "saga.loaded",
            CoordinatorMsg::Own(Own::WaitersDue(_)) => "saga.waiters_due",
            CoordinatorMsg::Own(Own::MayRetire(_) | Own::RetireAgain(_)) => "saga.retire",
        }
    }
}
