//! The saga's rules, tabulated: every saga that `accept` and `step` can lead to, and what each event does to it.
//!
//! Sagas are numbered as they are stored: what the journal entry of a transition carries, read back. Left out is what no decision depends
//! on: the version (each transition is checked to add one), the timeline's text, jitter and times. Missed deadlines are counted up to
//! where every limit has been passed.

use std::collections::HashMap;
use std::sync::Arc;

use actor_kit::TraceContext;
use order_saga::saga::{
    Goods, Ignored, Inputs, Next, SagaEvent, SagaStep, Stepped, StuckReason, Wake, accept, resume,
    step,
};
use order_saga::{
    Accept, EventId, Order, OrderStatus, Saga, SagaLimits, Transition, Version, WriteId,
};
use uuid::Uuid;

use crate::bugs::Bug;
use crate::events::{Command, RESOLUTIONS, commands, events, poison, told_by};

/// A saga, by number.
pub(crate) type SagaId = u16;

/// An event, by number.
pub(crate) type EventNo = u8;

/// The order does not exist yet.
pub(crate) const NO_SAGA: SagaId = SagaId::MAX;

/// What an event does to a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    Next(Move),
    Ignore(Ignored),
    Illegal,
}

/// A transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) to: SagaId,
    /// Commands that follow the commit.
    pub(crate) asks: u8,
    /// Whether there is a deadline afterwards; `None`: as before.
    pub(crate) wake: Option<bool>,
    /// Events written with it.
    pub(crate) tells: u8,
}

/// What properties ask about a saga.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Face {
    pub(crate) status: OrderStatus,
    pub(crate) at_rest: bool,
    pub(crate) stuck: Option<StuckReason>,
    pub(crate) completed: bool,
    pub(crate) goods: Option<Goods>,
    /// Commands that a saga here, or before here, may have sent.
    pub(crate) may_have_sent: u8,
}

/// Events that are not answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) cancel: EventNo,
    pub(crate) ask_refund: EventNo,
    pub(crate) deadline: EventNo,
    pub(crate) poison: EventNo,
    pub(crate) retry: EventNo,
    pub(crate) compensate: EventNo,
    /// In the order of [`RESOLUTIONS`].
    pub(crate) resolve: [EventNo; 3],
}

/// All of it, for one order.
pub(crate) struct Sagas {
    pub(crate) order: Arc<Order>,
    pub(crate) birth: Move,
    pub(crate) known: Known,
    sagas: Vec<Saga>,
    events: Vec<SagaEvent>,
    reactions: Vec<Reaction>,
    faces: Vec<Face>,
    classes: Vec<SagaId>,
}

impl Sagas {
    pub(crate) fn tabulate(order: Arc<Order>, limits: &SagaLimits, bug: Option<Bug>) -> Self {
        let inputs = Inputs {
            limits,
            jitter: 0.5,
        };
        let born = accept(Arc::clone(&order), &inputs);
        let mut numbers = Numbers::new(limits);
        let birth = numbers.birth(&born);
        let events = events(&order);
        let mut reactions = Vec::new();
        let mut done = 0;
        while let Some(saga) = numbers.sagas.get(done).cloned() {
            for event in &events {
                let reaction = match step(&saga, event, &inputs) {
                    Stepped::Next(next) => {
                        if *event == SagaEvent::DeadlinePassed {
                            // What a claim asks is what a crash makes the stored saga ask again.
                            assert_eq!(commands(&next.volatile), commands(&resume(&next.saga)));
                        }
                        Reaction::Next(numbers.transition(&saga, &next))
                    }
                    Stepped::Ignore(why) => Reaction::Ignore(why),
                    Stepped::Illegal => Reaction::Illegal,
                };
                reactions.push(reaction);
            }
            done += 1;
        }
        let number = |wanted: &SagaEvent| {
            let found = events.iter().position(|event| event == wanted);
            EventNo::try_from(found.unwrap()).unwrap()
        };
        let mut tables = Self {
            order,
            birth,
            known: Known {
                cancel: number(&SagaEvent::CancelRequested),
                ask_refund: number(&SagaEvent::RefundRequested),
                deadline: number(&SagaEvent::DeadlinePassed),
                poison: number(&poison()),
                retry: number(&SagaEvent::OperatorRetried),
                compensate: number(&SagaEvent::OperatorCompensated),
                resolve: RESOLUTIONS.map(|to| number(&SagaEvent::OperatorResolved(to))),
            },
            faces: numbers.sagas.iter().map(face).collect(),
            sagas: numbers.sagas,
            events,
            reactions,
            classes: Vec::new(),
        };
        tables.plant(bug);
        tables.classes = tables.classify(bug.is_some_and(Bug::cares_what_is_stale));
        tables
    }

    /// What `event` does to `saga`.
    pub(crate) fn react(&self, saga: SagaId, event: EventNo) -> Reaction {
        self.reactions[usize::from(saga) * self.events.len() + usize::from(event)]
    }

    pub(crate) fn face(&self, saga: SagaId) -> &Face {
        &self.faces[usize::from(saga)]
    }

    pub(crate) fn step_of(&self, saga: SagaId) -> &SagaStep {
        &self.sagas[usize::from(saga)].step
    }

    pub(crate) fn saga(&self, saga: SagaId) -> &Saga {
        &self.sagas[usize::from(saga)]
    }

    pub(crate) fn event(&self, event: EventNo) -> &SagaEvent {
        &self.events[usize::from(event)]
    }

    /// The number of an event. Everything that the neighbours can say is numbered.
    pub(crate) fn number(&self, wanted: &SagaEvent) -> EventNo {
        let found = self.events.iter().position(|event| event == wanted);
        let found = found.unwrap_or_else(|| panic!("an event without a number: {wanted:?}"));
        EventNo::try_from(found).unwrap()
    }

    /// Sagas that are the same to a stale cache have the same class: a cache only ever ignores an event, or makes its replica read again.
    pub(crate) fn class(&self, saga: SagaId) -> SagaId {
        self.classes[usize::from(saga)]
    }

    pub(crate) fn len(&self) -> usize {
        self.sagas.len()
    }

    /// The first saga of this shape.
    pub(crate) fn find(&self, wanted: impl Fn(&Saga) -> bool) -> SagaId {
        let found = self.sagas.iter().position(wanted);
        SagaId::try_from(found.unwrap()).unwrap()
    }

    fn classify(&self, each_its_own: bool) -> Vec<SagaId> {
        let mut first: HashMap<Vec<Option<Ignored>>, SagaId> = HashMap::new();
        (0..self.sagas.len())
            .map(|saga| {
                let saga = SagaId::try_from(saga).unwrap();
                let ignores = (0..self.events.len())
                    .map(
                        |event| match self.react(saga, u8::try_from(event).unwrap()) {
                            // To a customer, "it holds already" is a promise; the other reasons change nothing anywhere.
                            Reaction::Ignore(Ignored::AlreadyHolds) => Some(Ignored::AlreadyHolds),
                            Reaction::Ignore(_) => Some(Ignored::Superseded),
                            Reaction::Next(_) | Reaction::Illegal => None,
                        },
                    )
                    .collect();
                if each_its_own {
                    saga
                } else {
                    *first.entry(ignores).or_insert(saga)
                }
            })
            .collect()
    }

    /// Wrong arms of the step table.
    fn plant(&mut self, bug: Option<Bug>) {
        match bug {
            Some(Bug::CompensationGivesUp) => {
                self.replace(
                    |saga| matches!(saga.step, SagaStep::Releasing { .. }),
                    self.known.deadline,
                    |_| Reaction::Ignore(Ignored::Superseded),
                );
            }
            Some(Bug::RefundBeforeCommit) => {
                let completed = self.find(|saga| saga.step == SagaStep::Completed);
                let refund = self.react(completed, self.known.ask_refund);
                self.replace(
                    |saga| saga.step == SagaStep::Committing,
                    self.known.ask_refund,
                    |_| refund,
                );
            }
            Some(Bug::DuplicateReapplied) => {
                let waiting = self.find(|saga| saga.step == SagaStep::AwaitingPayment);
                let facts: Vec<EventNo> = (0..self.events.len())
                    .map(|event| EventNo::try_from(event).unwrap())
                    .filter(|event| self.event(*event).payment_id().is_some())
                    .collect();
                for fact in facts {
                    let again = self.react(waiting, fact);
                    self.replace(
                        |_| true,
                        fact,
                        |now| match now {
                            Reaction::Ignore(Ignored::Duplicate) => again,
                            other => other,
                        },
                    );
                }
            }
            _ => {}
        }
    }

    fn replace(
        &mut self,
        which: impl Fn(&Saga) -> bool,
        event: EventNo,
        with: impl Fn(Reaction) -> Reaction,
    ) {
        for (number, saga) in self.sagas.iter().enumerate() {
            if which(saga) {
                let place = number * self.events.len() + usize::from(event);
                self.reactions[place] = with(self.reactions[place]);
            }
        }
    }
}

/// Gives out numbers.
struct Numbers {
    sagas: Vec<Saga>,
    missed_max: u32,
}

/// Which version the numbered sagas carry does not matter.
const VERSION: Version = Version(7);

impl Numbers {
    fn new(limits: &SagaLimits) -> Self {
        let missed_max = limits
            .reserve_deadlines_max
            .max(limits.payment_deadlines_max)
            .max(limits.alert_deadlines);
        Self {
            sagas: Vec::new(),
            missed_max,
        }
    }

    fn birth(&mut self, next: &Next) -> Move {
        assert_eq!(next.saga.version, Version::FIRST);
        let write_id = WriteId(Uuid::nil());
        let accept = Accept::from_next(next, None, write_id, TraceContext::default());
        assert!(!accept.wake_after.is_zero(), "an order without a deadline");
        let stored = Saga::restore(
            Arc::clone(&accept.saga.order),
            VERSION,
            None,
            accept.saga.details(),
        );
        Move {
            to: self.number(stored),
            asks: commands(&next.volatile),
            wake: Some(true),
            tells: 0,
        }
    }

    fn transition(&mut self, from: &Saga, next: &Next) -> Move {
        let (event_id, write_id) = (EventId(Uuid::nil()), WriteId(Uuid::nil()));
        let entry = Transition::from_next(
            next,
            from.version,
            event_id,
            write_id,
            TraceContext::default(),
        );
        // The version is also the `aggregate_seq` of the event, and what Last-Event-ID resumes from.
        assert_eq!(entry.saga.version, from.version.next(), "{entry:?}");
        assert_eq!(entry.timeline.version, entry.saga.version, "{entry:?}");
        assert_eq!(entry.timeline.status, entry.saga.status(), "{entry:?}");
        let mut details = entry.saga.details();
        details.missed_deadlines = details.missed_deadlines.min(self.missed_max);
        let quote = entry.quote.or_else(|| from.quote.clone());
        let stored = Saga::restore(Arc::clone(&from.order), VERSION, quote, details);
        Move {
            to: self.number(stored),
            asks: commands(&next.volatile),
            wake: match entry.wake {
                Wake::Keep => None,
                Wake::After(_) => Some(true),
                Wake::Never => Some(false),
            },
            tells: entry.outbox.map_or(0, |row| told_by(&row.event)),
        }
    }

    fn number(&mut self, saga: Saga) -> SagaId {
        let known = self.sagas.iter().position(|known| *known == saga);
        let number = known.unwrap_or_else(|| {
            self.sagas.push(saga);
            self.sagas.len() - 1
        });
        SagaId::try_from(number).unwrap()
    }
}

fn face(saga: &Saga) -> Face {
    let at = match &saga.step {
        SagaStep::Stuck { at, .. } => at,
        other => other,
    };
    let goods = match at {
        SagaStep::Refunded { goods } => Some(*goods),
        _ => None,
    };
    Face {
        status: saga.status(),
        at_rest: saga.step.is_at_rest(),
        stuck: match &saga.step {
            SagaStep::Stuck { reason, .. } => Some(*reason),
            _ => None,
        },
        completed: saga.step == SagaStep::Completed,
        goods,
        may_have_sent: may_have_sent(at),
    }
}

/// The commands that may be under way when an order stands here: those of the steps that lead here.
fn may_have_sent(step: &SagaStep) -> u8 {
    use Command::{Commit, Refund, Release, Request, Reserve, Void};
    let set = |commands: &[Command]| commands.iter().fold(0, |set, c| set | *c as u8);
    match step {
        SagaStep::Reserving | SagaStep::Rejected { .. } => set(&[Reserve]),
        SagaStep::AwaitingPayment => set(&[Reserve, Request]),
        SagaStep::Voiding { .. } => set(&[Reserve, Request, Void]),
        SagaStep::Releasing { .. } | SagaStep::Cancelled { .. } => {
            set(&[Reserve, Request, Void, Release])
        }
        SagaStep::ReleasingForRefund { .. } => set(&[Reserve, Request, Void, Release]),
        SagaStep::Committing | SagaStep::CommittingForRefund | SagaStep::Completed => {
            set(&[Reserve, Request, Void, Commit])
        }
        SagaStep::Settling { goods }
        | SagaStep::Refunding { goods }
        | SagaStep::Refunded { goods } => match goods {
            Goods::Sold => set(&[Reserve, Request, Void, Commit, Refund]),
            Goods::Released { .. } => set(&[Reserve, Request, Void, Release, Refund]),
        },
        SagaStep::Stuck { at, .. } => may_have_sent(at),
    }
}
