//! One order's world and its clockwork: what is in memory and dies with the process, what is stored, what is on the bus.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use order_saga::saga::{
    DurableEffect, Inputs, Next, OrderEvent, Stepped, VolatileEffect, Wake, accept, resume, step,
};
use order_saga::{Order, Saga, SagaEvent, SagaLimits, Version};
use payment::Event;
use stock::{Books, Verdict, Wanted, decide_batch};

use crate::cases::{Kind, call_of, name_of_durable, name_of_volatile};
use crate::check::{assert_books, assert_row, end_of};
use crate::glue;
use crate::journeys::{End, Journey, Moment, StockIs, Wish};
use crate::money::Money;

/// Where a fault strikes, and which. Effects and commits are counted from 0 as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The effect is not executed; the call ends without an answer.
    CallLost(usize),
    /// The effect is executed; the call ends without an answer.
    AnswerLost(usize),
    /// The effect is executed twice; its answer and what it brings about come twice.
    EffectTwice(usize),
    /// Nothing is written, and whoever asked for it gets no answer.
    WriteLost(usize),
    /// Another replica handles the same event on an old cache; what was published arrives twice.
    CommitTwice(usize),
    /// Committed; then the process ends with everything in its memory.
    Crash(usize),
}

/// A mistake in the glue around the pure cores, which a fault must bring to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A transition is written whatever version is stored.
    NoVersionGuard,
    /// Nobody looks for deadlines.
    NoSweeper,
    /// The stock does not know a reservation again.
    HoldsTwice,
}

impl Plant {
    pub(crate) const ALL: [Self; 3] = [Self::NoVersionGuard, Self::NoSweeper, Self::HoldsTwice];
}

/// What became of a run.
pub(crate) struct Ran {
    pub(crate) end: End,
    /// The effects that were run, in order.
    pub(crate) effects: Vec<&'static str>,
    /// The kinds of rows that were written.
    pub(crate) rows: BTreeSet<&'static str>,
    pub(crate) commits: usize,
    pub(crate) injected: BTreeMap<(&'static str, Kind), usize>,
    /// Faults whose place never came.
    pub(crate) unmet: BTreeSet<Place>,
}

/// Who brought an event, and so who brings it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The coordinator's own question, or the deadline: the deadline asks again.
    Own,
    Customer,
    Bus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Message {
    Created,
    FromPayments(SagaEvent),
}

/// What orders has stored.
pub(crate) struct Stored {
    pub(crate) saga: Saga,
    pub(crate) timeline: Vec<Version>,
    pub(crate) published: Vec<(Version, &'static str)>,
    pub(crate) quoted: u32,
    pub(crate) deadline: bool,
}

pub(crate) struct World<'a> {
    pub(crate) journey: &'a Journey,
    pub(crate) order: Arc<Order>,
    limits: SagaLimits,
    pub(crate) stored: Option<Stored>,
    pub(crate) books: Books,
    pub(crate) money: Money,
    pub(crate) alerts: usize,
    bus: VecDeque<Message>,
    /// The customer, who tries again until there is an answer.
    wishes: VecDeque<SagaEvent>,
    acted: bool,
    // In the memory of the process.
    cache: Option<Saga>,
    to_ask: VecDeque<VolatileEffect>,
    answers: VecDeque<SagaEvent>,
    // Faults.
    faults: BTreeSet<Place>,
    plant: Option<Plant>,
    crashed: bool,
    bus_twice: bool,
    deaf_to: u32,
    effects: Vec<&'static str>,
    rows: BTreeSet<&'static str>,
    commits: usize,
    pub(crate) injected: BTreeMap<(&'static str, Kind), usize>,
}

/// Far more than any journey takes.
const STEPS_MAX: usize = 1_000;

/// Runs a journey to its end, with these faults.
pub(crate) fn run(journey: &Journey, faults: &[Place]) -> Ran {
    run_planted(journey, faults, None)
}

/// The same, in a world with a mistake.
pub(crate) fn run_planted(journey: &Journey, faults: &[Place], plant: Option<Plant>) -> Ran {
    let mut world = World::new(journey, faults, plant);
    for _ in 0..STEPS_MAX {
        if !world.advance() {
            assert_books(&world);
            return Ran {
                end: end_of(&world.stored.as_ref().unwrap().saga.step),
                effects: world.effects,
                rows: world.rows,
                commits: world.commits,
                injected: world.injected,
                unmet: world.faults,
            };
        }
    }
    panic!("{}: {faults:?} does not end", journey.name);
}

impl<'a> World<'a> {
    fn new(journey: &'a Journey, faults: &[Place], plant: Option<Plant>) -> Self {
        let deaf_to = match journey.stock {
            StockIs::DeafToReleases(calls) => calls,
            StockIs::Well | StockIs::DeafToReserve | StockIs::SilentOnReserve => 0,
        };
        Self {
            journey,
            order: glue::order(0),
            limits: SagaLimits::default(),
            stored: None,
            books: glue::books(journey.on_hand),
            money: Money::new(journey),
            alerts: 0,
            bus: VecDeque::new(),
            wishes: VecDeque::new(),
            acted: false,
            cache: None,
            to_ask: VecDeque::new(),
            answers: VecDeque::new(),
            faults: faults.iter().copied().collect(),
            plant,
            crashed: false,
            bus_twice: false,
            deaf_to,
            effects: vec![],
            rows: BTreeSet::new(),
            commits: 0,
            injected: BTreeMap::new(),
        }
    }

    /// The next thing that happens. False when nothing is left to happen.
    fn advance(&mut self) -> bool {
        let swept = self.plant != Some(Plant::NoSweeper);
        let due = |stored: &Stored| stored.deadline && swept;
        let Some(deadline) = self.stored.as_ref().map(due) else {
            let next = accept(Arc::clone(&self.order), &self.inputs());
            self.commit(next, None, Sender::Customer);
            return true;
        };
        if let Some(wish) = self.wishes.pop_front() {
            self.handle(&wish, Sender::Customer);
        } else if let Some(answer) = self.answers.pop_front() {
            self.handle(&answer, Sender::Own);
        } else if let Some(effect) = self.to_ask.pop_front() {
            self.run_effect(effect);
        } else if let Some(message) = self.bus.pop_front() {
            self.deliver(message);
        } else if let Some(told) = self.work() {
            self.bus_from_payments(told);
        } else if deadline && self.crashed {
            // A successor begins with what the stored step needs.
            self.crashed = false;
            self.to_ask = resume(&self.load()).into();
        } else if deadline {
            self.handle(&SagaEvent::DeadlinePassed, Sender::Own);
        } else {
            return false;
        }
        true
    }

    const fn inputs(&self) -> Inputs<'_> {
        Inputs {
            limits: &self.limits,
            jitter: 0.5,
        }
    }

    fn load(&mut self) -> Saga {
        let saga = self.stored.as_ref().unwrap().saga.clone();
        self.cache = Some(saga.clone());
        saga
    }

    fn deliver(&mut self, message: Message) {
        match message {
            Message::Created => {
                let request = Event::Request(glue::payment_request(&self.order));
                self.pay(&request);
            }
            Message::FromPayments(event) => self.handle(&event, Sender::Bus),
        }
    }

    fn pay(&mut self, event: &Event) -> bool {
        let (refused, told) = self.money.apply(&self.order, event);
        self.bus_from_payments(told);
        refused
    }

    fn work(&mut self) -> Option<Vec<SagaEvent>> {
        let told = self.money.work(&self.order)?;
        if self.money.is_calling() {
            self.note(Moment::ChargeOpen);
        }
        if self.money.state() == Some(payment::PaymentState::Captured) {
            self.note(Moment::Charged);
        }
        Some(told)
    }

    fn bus_from_payments(&mut self, told: impl IntoIterator<Item = SagaEvent>) {
        for event in told {
            let times = if std::mem::take(&mut self.bus_twice) {
                2
            } else {
                1
            };
            let message = Message::FromPayments(event);
            self.bus.extend(std::iter::repeat_n(message, times));
        }
    }

    fn note(&mut self, moment: Moment) {
        let Some((awaited, wish)) = self.journey.act else {
            return;
        };
        if awaited == moment && !self.acted {
            self.acted = true;
            self.wishes.push_back(Wish::event(wish));
        }
    }

    /// What a coordinator does with an event.
    fn handle(&mut self, event: &SagaEvent, from: Sender) {
        let mut fresh = false;
        loop {
            let cached = self.cache.clone();
            let saga = cached.unwrap_or_else(|| {
                fresh = true;
                self.load()
            });
            let stepped = step(&saga, event, &self.inputs());
            match stepped {
                Stepped::Next(next) if self.guards(saga.version) => {
                    return self.commit(next, Some(event), from);
                }
                Stepped::Ignore(why) if fresh || !why.refuses() => return,
                Stepped::Illegal if fresh => {
                    panic!("{}: {event:?} in {:?}", self.journey.name, saga.step)
                }
                Stepped::Next(_) | Stepped::Ignore(_) | Stepped::Illegal => {
                    self.load();
                    fresh = true;
                }
            }
        }
    }

    /// The guard of the write.
    fn guards(&self, expected: Version) -> bool {
        let stored = self.stored.as_ref().unwrap().saga.version;
        stored == expected || self.plant == Some(Plant::NoVersionGuard)
    }

    fn commit(&mut self, next: Next, event: Option<&SagaEvent>, from: Sender) {
        let at = self.commits;
        self.commits += 1;
        let durable: Vec<_> = next.durable.iter().map(name_of_durable).collect();
        let volatile: Vec<_> = next.volatile.iter().map(name_of_volatile).collect();
        if self.strikes(Place::WriteLost(at), &durable, Kind::Fail) {
            self.cache = None;
            return self.bring_again(event, from);
        }
        let before = self.stored.as_ref().map(|stored| stored.saga.clone());
        self.rows.extend(&durable);
        let published = self.write(&next);
        self.cache = Some(next.saga.clone());
        self.note(Moment::Entered(next.saga.step.name()));
        if self.strikes(Place::Crash(at), &durable, Kind::Crash) {
            self.inject(&volatile, Kind::Crash);
            self.cache = None;
            self.to_ask.clear();
            self.answers.clear();
            self.crashed = true;
            return if from == Sender::Bus {
                // Not acknowledged yet.
                self.bring_again(event, from);
            };
        }
        self.to_ask.extend(next.volatile);
        if self.strikes(Place::CommitTwice(at), &durable, Kind::Repeat) {
            self.bus.extend(published);
            if let (Some(event), Some(before)) = (event, before) {
                self.cache = Some(before);
                self.handle(event, from);
            } else {
                // The order is sent in again: its key is taken, and a second coordinator begins with what is stored.
                self.to_ask.extend(resume(&next.saga));
            }
        }
    }

    /// The rows of a commit. Returns what consumers find on the bus.
    fn write(&mut self, next: &Next) -> Option<Message> {
        let saga = &next.saga;
        let stored = self.stored.get_or_insert_with(|| Stored {
            saga: saga.clone(),
            timeline: vec![],
            published: vec![],
            quoted: 0,
            deadline: false,
        });
        stored.saga = saga.clone();
        let mut message = None;
        for effect in &next.durable {
            match effect {
                DurableEffect::Timeline(entry) => stored.timeline.push(entry.version),
                DurableEffect::Quote(_) => stored.quoted += 1,
                DurableEffect::Publish(event) => {
                    stored.published.push((saga.version, event.name()));
                    if matches!(event, OrderEvent::Created { .. }) {
                        message = Some(Message::Created);
                    }
                }
                DurableEffect::Wake(Wake::Keep) => {}
                DurableEffect::Wake(Wake::After(_)) => stored.deadline = true,
                DurableEffect::Wake(Wake::Never) => stored.deadline = false,
            }
        }
        assert_row(self.journey, stored);
        self.bus.extend(message.clone());
        message
    }

    fn bring_again(&mut self, event: Option<&SagaEvent>, from: Sender) {
        let Some(event) = event.cloned() else {
            return;
        };
        match from {
            Sender::Own => {}
            Sender::Customer => self.wishes.push_front(event),
            Sender::Bus => self.bus.push_front(Message::FromPayments(event)),
        }
    }

    fn run_effect(&mut self, effect: VolatileEffect) {
        let at = self.effects.len();
        let name = name_of_volatile(&effect);
        self.effects.push(name);
        let lost = self.strikes(Place::CallLost(at), &[name], Kind::Fail);
        let silent = self.strikes(Place::AnswerLost(at), &[name], Kind::Fail);
        let twice = self.strikes(Place::EffectTwice(at), &[name], Kind::Repeat);
        let unanswered = call_of(effect).map(SagaEvent::Unanswered);
        if lost {
            return self.answers.extend(unanswered);
        }
        self.bus_twice |= twice;
        for _ in 0..=usize::from(twice) {
            let answer = self.execute(effect);
            let answer = if silent { None } else { answer };
            self.answers.extend(answer.or_else(|| unanswered.clone()));
        }
    }

    /// Inventory and payments. `None`: no answer.
    fn execute(&mut self, effect: VolatileEffect) -> Option<SagaEvent> {
        let request = || glue::payment_request(&self.order);
        match effect {
            VolatileEffect::AskReserve => match self.journey.stock {
                StockIs::DeafToReserve => None,
                StockIs::SilentOnReserve => {
                    self.stock(&glue::reserve(&self.order));
                    None
                }
                StockIs::Well | StockIs::DeafToReleases(_) => {
                    self.stock(&glue::reserve(&self.order))
                }
            },
            VolatileEffect::AskRelease if self.deaf_to > 0 => {
                self.deaf_to -= 1;
                None
            }
            VolatileEffect::AskRelease => self.stock(&glue::release(&self.order)),
            VolatileEffect::AskCommit => self.stock(&glue::commit(&self.order)),
            VolatileEffect::RequestPayment => {
                let refused = self.pay(&Event::Request(request()));
                let row = self.money.row.as_ref().filter(|_| !refused);
                Some(glue::request_answer(row))
            }
            VolatileEffect::VoidPayment => {
                let refused = self.pay(&Event::Void(request()));
                glue::void_answer(self.money.row.as_ref().filter(|_| !refused))
            }
            VolatileEffect::RefundPayment => {
                let refused = self.pay(&Event::Refund);
                glue::refund_answer(self.money.row.as_ref().filter(|_| !refused))
            }
            VolatileEffect::Alert => {
                self.alerts += 1;
                None
            }
        }
    }

    fn stock(&mut self, command: &stock::Command) -> Option<SagaEvent> {
        if self.plant == Some(Plant::HoldsTwice)
            && matches!(command, stock::Command::Reserve { .. })
        {
            self.books.reservations.clear();
        }
        let snapshot = self.books.snapshot(&Wanted::of([command]));
        let (verdicts, changes) = decide_batch(snapshot, [command]);
        let Ok([Verdict::Decided(answer)]) = <[Verdict; 1]>::try_from(verdicts) else {
            panic!("nothing is busy here");
        };
        self.books.apply(&changes).unwrap();
        glue::from_stock(&answer)
    }

    fn strikes(&mut self, place: Place, what: &[&'static str], kind: Kind) -> bool {
        let strikes = self.faults.remove(&place);
        if strikes {
            self.inject(what, kind);
        }
        strikes
    }

    fn inject(&mut self, what: &[&'static str], kind: Kind) {
        for name in what {
            *self.injected.entry((name, kind)).or_default() += 1;
        }
    }
}
