//! "Can still end": from each state, however it came about, the order must be able to reach an end by *healing* steps alone. These are what the
//! present durable rows make happen again and again after every process has crashed: a claimed deadline, the commands that follow it
//! and their answers, and payments' sweep. Nothing that was in memory, on its way or on the bus takes part: the bus may be gone for good.
//!
//! The states that can end are those that lead backwards from good ends. The graph of durable rows is small; it is completed from each row
//! that turns up, and the good ends in it are followed back.

use std::collections::HashMap;
use std::sync::RwLock;

use order_saga::saga::StuckReason;
use payment::{PaymentState, Work};

use crate::events::Command;
use crate::payments::{Applied, Happening, RowId};
use crate::sagas::{EventNo, NO_SAGA, Reaction, SagaId};
use crate::state::{Charge, State};
use crate::stocks::BooksId;
use crate::world::{World, attempts, bit, refund_attempts};

/// What outlives a crash of everything, as far as one order is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Durable {
    order: u8,
    saga: SagaId,
    wake: bool,
    books: BooksId,
    row: RowId,
    charge: Charge,
    not_charged: u8,
    refunded: u8,
    refund_refused: u8,
}

/// Which durable rows can still end, as far as is known.
#[derive(Default)]
pub(crate) struct Healing {
    can_end: RwLock<HashMap<Durable, bool>>,
}

impl Healing {
    /// How many different durable rows were asked about.
    pub(crate) fn known(&self) -> usize {
        self.can_end.read().unwrap().len()
    }
}

impl World {
    /// Whether every order can still reach a good end.
    pub(crate) fn can_still_end(&self, state: &State) -> bool {
        (0..self.config.orders).all(|o| {
            let order = &state.orders[o];
            order.saga == NO_SAGA
                || self.can_end(Durable {
                    order: u8::try_from(o).unwrap(),
                    saga: order.saga,
                    wake: order.wake,
                    books: state.books,
                    row: order.row,
                    charge: order.charge,
                    not_charged: order.not_charged,
                    refunded: order.refunded,
                    refund_refused: order.refund_refused,
                })
        })
    }

    fn can_end(&self, from: Durable) -> bool {
        if let Some(known) = self.healing.can_end.read().unwrap().get(&from) {
            return *known;
        }
        let mut can_end = self.healing.can_end.write().unwrap();
        // Forward: everything that healing can make of it, up to what is known already.
        let mut nodes = vec![from];
        let mut place = HashMap::from([(from, 0)]);
        let mut backwards: Vec<Vec<usize>> = vec![vec![]];
        let mut ends = vec![];
        let mut done = 0;
        while let Some(node) = nodes.get(done).copied() {
            if can_end.get(&node).copied().unwrap_or(false) || self.is_good_end(&node) {
                ends.push(done);
            } else if !can_end.contains_key(&node) {
                for next in self.heal(&node) {
                    let next = *place.entry(next).or_insert_with(|| {
                        nodes.push(next);
                        backwards.push(vec![]);
                        nodes.len() - 1
                    });
                    backwards[next].push(done);
                }
            }
            done += 1;
        }
        // Backward: everything that leads to a good end.
        let mut good = vec![false; nodes.len()];
        while let Some(end) = ends.pop() {
            if !std::mem::replace(&mut good[end], true) {
                ends.extend(&backwards[end]);
            }
        }
        can_end.extend(nodes.into_iter().zip(good));
        can_end[&from]
    }

    /// The order has ended, or waits for people because a refund was refused for good; and payments has nothing left to do.
    fn is_good_end(&self, at: &Durable) -> bool {
        let face = self.sagas[usize::from(at.order)].face(at.saga);
        let work = self.payments[usize::from(at.order)].row(at.row);
        face.at_rest
            && face
                .stuck
                .is_none_or(|why| why == StuckReason::RefundRefused)
            && work.is_none_or(|row| row.work.is_none())
    }

    fn heal(&self, at: &Durable) -> Vec<Durable> {
        let mut next = Vec::new();
        self.claim(at, &mut next);
        self.sweep(at, &mut next);
        let sagas = &self.sagas[usize::from(at.order)];
        if sagas.face(at.saga).stuck == Some(StuckReason::Poison) {
            // Set aside because handling it panicked: that is what people are for.
            next.extend(self.react(at, sagas.known.retry).map(|(next, _)| next));
        }
        next
    }

    /// A replica that knows nothing claims the deadline, commits what follows, sends the commands and takes the answers.
    fn claim(&self, at: &Durable, next: &mut Vec<Durable>) {
        let o = usize::from(at.order);
        let deadline = self.sagas[o].known.deadline;
        if !at.wake {
            return;
        }
        let Some((claimed, asks)) = self.react(at, deadline) else {
            return;
        };
        next.push(claimed);
        for command in Command::ALL {
            if asks & command as u8 != 0 {
                let (executed, answer) = self.command(&claimed, command);
                next.push(executed);
                let answered = answer.and_then(|answer| self.react(&executed, answer));
                next.extend(answered.map(|(answered, _)| answered));
            }
        }
    }

    fn react(&self, at: &Durable, event: EventNo) -> Option<(Durable, u8)> {
        match self.sagas[usize::from(at.order)].react(at.saga, event) {
            Reaction::Next(step) => {
                let next = Durable {
                    saga: step.to,
                    wake: step.wake.unwrap_or(at.wake),
                    ..*at
                };
                Some((next, step.asks))
            }
            Reaction::Ignore(_) | Reaction::Illegal => None,
        }
    }

    fn command(&self, at: &Durable, command: Command) -> (Durable, Option<EventNo>) {
        let o = usize::from(at.order);
        let happening = match command {
            Command::Reserve | Command::Release | Command::Commit => {
                let executed = self.stocks.execute(at.books, o, command);
                let next = Durable {
                    books: executed.to,
                    ..*at
                };
                let answer = executed.answer.as_ref();
                return (next, answer.map(|answer| self.sagas[o].number(answer)));
            }
            Command::Request => Happening::Request,
            Command::Void => Happening::Void,
            Command::Refund => Happening::Refund,
        };
        let refused = self.payments[o].apply(at.row, happening) == Applied::Refused;
        let next = self.payment(at, happening);
        let answer = self.payments[o].answer(happening, next.row, refused);
        (next, answer.map(|answer| self.sagas[o].number(answer)))
    }

    fn payment(&self, at: &Durable, happening: Happening) -> Durable {
        match self.payments[usize::from(at.order)].apply(at.row, happening) {
            Applied::Written { to, .. } => Durable { row: to, ..*at },
            Applied::Ignored | Applied::Refused | Applied::Illegal => *at,
        }
    }

    /// Payments claims the row by its wake time and does what `resume` names, with whatever the provider makes of it.
    fn sweep(&self, at: &Durable, next: &mut Vec<Durable>) {
        let row = self.payments[usize::from(at.order)].row(at.row);
        let Some(row) = row.filter(|row| row.wake) else {
            return;
        };
        match row.work {
            Some(Work::Charge) => {
                let started = self.payment(at, Happening::AttemptStarted);
                if started == *at {
                    return;
                }
                next.push(started);
                for charge in self.charges(at.charge) {
                    let decided = Durable { charge, ..started };
                    let outcome = match charge {
                        Charge::Captured => Happening::Captured(attempts(row) + 1),
                        Charge::Declined => Happening::Declined(attempts(row) + 1),
                        Charge::Undecided => Happening::Unanswered(attempts(row) + 1),
                    };
                    next.push(self.payment(&decided, outcome));
                }
            }
            Some(Work::LookUp) => {
                let look_ups = u8::try_from(row.payment.look_ups).unwrap();
                let found = match (at.charge, row.payment.state) {
                    (Charge::Captured, _) => Happening::FoundCharged(attempts(row)),
                    (_, PaymentState::Voided) => Happening::FoundNothing(attempts(row), look_ups),
                    _ => Happening::FoundNothing(attempts(row), 0),
                };
                next.push(self.payment(at, found));
            }
            Some(Work::Refund) => {
                let mut started = self.payment(at, Happening::RefundStarted);
                let n = refund_attempts(row);
                next.push(started);
                if (at.refunded | at.refund_refused) & bit(n) == 0 {
                    started.refunded |= bit(n);
                }
                let outcome = if started.refunded & bit(n) == 0 {
                    Happening::RefundRefused(n)
                } else {
                    Happening::Refunded(n)
                };
                next.push(self.payment(&started, outcome));
            }
            None => {}
        }
    }

    /// What a charge call may find or decide.
    fn charges(&self, now: Charge) -> Vec<Charge> {
        match now {
            Charge::Undecided if self.config.provider.declines => {
                vec![Charge::Captured, Charge::Declined, Charge::Undecided]
            }
            Charge::Undecided => vec![Charge::Captured, Charge::Undecided],
            decided => vec![decided],
        }
    }
}
