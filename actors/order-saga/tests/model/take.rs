//! What each step does. Nothing here decides: it looks up what the shipped rules decided, and writes.

use jetstream::disposition::{Arrival, Disposition, on_answer, on_arrival};
use order_saga::saga::{Ignored, Resolution};
use payment::PaymentState;

use crate::bugs::Bug;
use crate::events::{Command, RESOLUTIONS};
use crate::payments::{Applied, Happening};
use crate::sagas::{EventNo, Move, NO_SAGA, Reaction, Sagas};
use crate::state::{Charge, FRESH, NO_ANSWER, OrderState, Replica, State, Wrong};
use crate::world::{Action, BY_HAND, Reply, Verdict, World, attempts, bit, refund_attempts};

/// Who waits for what becomes of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Nobody,
    Bus,
    Cancel,
    AskRefund,
}

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Moved,
    Ignored(Ignored),
    Illegal,
}

impl World {
    /// What a step leads to; `None` when it changes nothing.
    pub(crate) fn take(&self, before: &State, action: Action) -> Option<State> {
        let mut state = *before;
        match action {
            Action::Accept(o) => self.commit(
                &mut state.orders[o],
                &self.sagas[o],
                0,
                self.sagas[o].birth,
                &mut None,
            ),
            Action::RunEffects(o, r) => {
                let order = &mut state.orders[o];
                order.sent |= order.replicas[r].pending;
                order.replicas[r].pending = 0;
            }
            // What a crashed replica loads when it is needed again is what is stored then; loading it at once is the same to it.
            Action::Crash(o, r) => {
                state.orders[o].replicas[r] = Replica {
                    cache: FRESH,
                    pending: 0,
                };
            }
            Action::Deadline(o, _)
            | Action::Cancel(o, _)
            | Action::AskRefund(o, _)
            | Action::Poison(o, _)
            | Action::Retry(o, _)
            | Action::Compensate(o, _)
            | Action::Resolve(o, ..)
            | Action::Fact(o, ..)
            | Action::Answer(o, ..) => self.saga_step(&mut state, o, action),
            Action::Execute(o, command, reply) => {
                let answer = self.execute(&mut state, o, command);
                match (reply, answer) {
                    (Reply::Travels(a), Some(answer)) => state.orders[o].answers[a] = answer,
                    (Reply::At(r), Some(answer)) => {
                        self.handle(&mut state, o, r, answer, Sender::Nobody);
                    }
                    (Reply::Lost | Reply::Travels(_) | Reply::At(_), _) => {}
                }
            }
            Action::Created(o)
            | Action::Attempt(o)
            | Action::Decide(o, ..)
            | Action::Outcome(o, _)
            | Action::LookUp(o)
            | Action::RefundCall(o)
            | Action::DecideRefund(o, ..)
            | Action::Charge(o, _)
            | Action::GiveBack(o) => self.payment_step(&mut state, o, action),
        }
        if self.config.symmetric {
            for order in &mut state.orders[..self.config.orders] {
                order.replicas[..self.config.replicas].sort_unstable();
                order.answers.sort_unstable();
            }
        }
        (state != *before).then_some(state)
    }

    /// Something reaches a replica of orders.
    fn saga_step(&self, state: &mut State, o: usize, action: Action) {
        let known = self.sagas[o].known;
        let (r, event, sender) = match action {
            Action::Deadline(_, r) => (r, known.deadline, Sender::Nobody),
            Action::Cancel(_, r) => (r, known.cancel, Sender::Cancel),
            Action::AskRefund(_, r) => (r, known.ask_refund, Sender::AskRefund),
            Action::Poison(_, r) => (r, known.poison, Sender::Nobody),
            Action::Retry(_, r) => (r, known.retry, Sender::Nobody),
            Action::Compensate(_, r) => (r, known.compensate, Sender::Nobody),
            Action::Resolve(_, r, to) => {
                // An act is decided on the version that the operator looked at.
                state.orders[o].replicas[r].cache = FRESH;
                if RESOLUTIONS[to] == Resolution::Refunded {
                    state.orders[o].refunded |= BY_HAND;
                }
                (r, known.resolve[to], Sender::Nobody)
            }
            Action::Fact(_, r, fact) => {
                let event = self.facts[o][fact.trailing_zeros() as usize];
                (r, event, Sender::Bus)
            }
            Action::Answer(_, r, a) => {
                let event = std::mem::replace(&mut state.orders[o].answers[a], NO_ANSWER);
                (r, event, Sender::Nobody)
            }
            _ => return,
        };
        self.handle(state, o, r, event, sender);
    }

    /// Something happens between payments and the provider.
    fn payment_step(&self, state: &mut State, o: usize, action: Action) {
        match action {
            Action::Created(_) => {
                self.happens(state, o, Happening::Request);
            }
            Action::Attempt(_) => {
                self.happens(state, o, Happening::AttemptStarted);
            }
            Action::Decide(_, n, verdict) => decide_charge(&mut state.orders[o], n, verdict),
            Action::Outcome(_, happening) => {
                self.happens(state, o, happening);
            }
            Action::LookUp(_) => self.look_up(state, o),
            Action::RefundCall(_) => {
                self.happens(state, o, Happening::RefundStarted);
            }
            Action::DecideRefund(_, n, yes) => decide_refund(state, o, n, yes),
            Action::Charge(_, verdict) => {
                self.happens(state, o, Happening::AttemptStarted);
                let n = self.row(o, &state.orders[o]).map_or(1, attempts);
                decide_charge(&mut state.orders[o], n, verdict);
                let outcome = match verdict {
                    Verdict::Charge => Happening::Captured(n),
                    Verdict::Decline => Happening::Declined(n),
                    Verdict::DoNothing => Happening::NotCharged(n),
                };
                self.happens(state, o, outcome);
            }
            Action::GiveBack(_) => {
                self.happens(state, o, Happening::RefundStarted);
                let n = self.row(o, &state.orders[o]).map_or(1, refund_attempts);
                decide_refund(state, o, n, true);
                self.happens(state, o, Happening::Refunded(n));
            }
            _ => {}
        }
    }

    /// A replica decides about an event on what it has in memory.
    fn handle(&self, state: &mut State, o: usize, r: usize, event: EventNo, sender: Sender) {
        let sagas = &self.sagas[o];
        let State { orders, wrong, .. } = state;
        let order = &mut orders[o];
        let outcome = self.decide(order, sagas, r, event, wrong);
        match sender {
            Sender::Nobody => {
                if outcome == Outcome::Illegal {
                    *wrong = Some(Wrong::Illegal);
                }
            }
            Sender::Bus => acknowledge(order, sagas, event, outcome, wrong),
            Sender::Cancel => order.cancel_promised |= is_promise(outcome),
            Sender::AskRefund => order.refund_promised |= is_promise(outcome),
        }
    }

    fn decide(
        &self,
        order: &mut OrderState,
        sagas: &Sagas,
        r: usize,
        event: EventNo,
        wrong: &mut Option<Wrong>,
    ) -> Outcome {
        let cache = order.replicas[r].cache;
        if cache != FRESH {
            match sagas.react(cache, event) {
                Reaction::Ignore(why) => return Outcome::Ignored(why),
                Reaction::Next(next) => match self.bug {
                    Some(Bug::NoVersionCheck) => {
                        self.commit(order, sagas, r, next, wrong);
                        return Outcome::Moved;
                    }
                    Some(Bug::EffectsBeforeCommit) => order.sent |= next.asks,
                    Some(Bug::StaleEventDropped) => {
                        order.replicas[r].cache = FRESH;
                        return Outcome::Moved;
                    }
                    _ => {}
                },
                Reaction::Illegal => {}
            }
            // The write is refused, or the event makes no sense: read again.
            order.replicas[r].cache = FRESH;
        }
        match sagas.react(order.saga, event) {
            Reaction::Next(next) => {
                self.commit(order, sagas, r, next, wrong);
                Outcome::Moved
            }
            Reaction::Ignore(why) => Outcome::Ignored(why),
            Reaction::Illegal => Outcome::Illegal,
        }
    }

    /// One transaction: the saga, its deadline, its event. The effects wait for it.
    fn commit(
        &self,
        order: &mut OrderState,
        sagas: &Sagas,
        r: usize,
        next: Move,
        wrong: &mut Option<Wrong>,
    ) {
        if order.saga != NO_SAGA {
            let seen = sagas.class(order.saga);
            for replica in &mut order.replicas[..self.config.replicas] {
                if replica.cache == FRESH {
                    replica.cache = seen;
                }
            }
        }
        order.saga = next.to;
        order.wake = next.wake.unwrap_or(order.wake);
        if order.told & next.tells != 0 {
            *wrong = Some(Wrong::ToldTwice);
        }
        order.told |= next.tells;
        order.replicas[r] = Replica {
            cache: FRESH,
            pending: next.asks,
        };
    }

    /// A neighbour executes a command and answers.
    fn execute(&self, state: &mut State, o: usize, command: Command) -> Option<EventNo> {
        let happening = match command {
            Command::Reserve | Command::Release | Command::Commit => {
                let executed = self.stocks.execute(state.books, o, command);
                state.books = executed.to;
                if executed.refused_by_tables {
                    state.wrong = Some(Wrong::Refused);
                }
                return executed
                    .answer
                    .as_ref()
                    .map(|answer| self.sagas[o].number(answer));
            }
            Command::Request => Happening::Request,
            Command::Void => Happening::Void,
            Command::Refund => Happening::Refund,
        };
        let refused = self.happens(state, o, happening);
        let answer = self.payments[o].answer(happening, state.orders[o].row, refused);
        answer.map(|answer| self.sagas[o].number(answer))
    }

    /// Something happens to a payment. Says whether it was refused.
    fn happens(&self, state: &mut State, o: usize, happening: Happening) -> bool {
        let State { orders, wrong, .. } = state;
        let order = &mut orders[o];
        match self.payments[o].apply(order.row, happening) {
            Applied::Written { to, fact } => {
                order.row = to;
                if order.facts & fact != 0 {
                    *wrong = Some(Wrong::ToldTwice);
                }
                order.facts |= fact;
            }
            Applied::Ignored => {}
            Applied::Refused => return true,
            Applied::Illegal => *wrong = Some(Wrong::Illegal),
        }
        false
    }

    /// The provider's books know of no charge. The watch over a voided payment counts each of its look-ups.
    fn look_up(&self, state: &mut State, o: usize) {
        let Some(row) = self.row(o, &state.orders[o]) else {
            return;
        };
        let attempt = attempts(row);
        if row.payment.state == PaymentState::Voided {
            let look_up = u8::try_from(row.payment.look_ups).unwrap();
            self.happens(state, o, Happening::FoundNothing(attempt, look_up));
        } else {
            state.orders[o].nothing_found |= bit(attempt);
        }
    }
}

/// What the consumer does with an event of the bus once it was handled.
fn acknowledge(
    order: &OrderState,
    sagas: &Sagas,
    event: EventNo,
    outcome: Outcome,
    wrong: &mut Option<Wrong>,
) {
    let said = match outcome {
        Outcome::Moved => jetstream::Outcome::Done,
        Outcome::Ignored(_) => jetstream::Outcome::Ignored,
        Outcome::Illegal => {
            *wrong = Some(Wrong::Illegal);
            jetstream::Outcome::Poison("the event contradicts the saga".to_owned())
        }
    };
    debug_assert_eq!(on_arrival(Ok(()), 0, 3), Arrival::HandOver { alone: false });
    // What a stuck order is told is not kept, also by a cache that has not seen it leave: whoever is asked after that says it again.
    let heard = outcome == Outcome::Ignored(Ignored::IsStuck)
        || !matches!(sagas.react(order.saga, event), Reaction::Next(_));
    if on_answer(Some(said), 1, 0, 3, 0.5) == Disposition::Ack && !heard {
        *wrong = Some(Wrong::AcknowledgedUnheard);
    }
}

/// Whether a customer was told that it will be so.
fn is_promise(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Moved | Outcome::Ignored(Ignored::AlreadyHolds)
    )
}

const fn decide_charge(order: &mut OrderState, n: u8, verdict: Verdict) {
    match verdict {
        Verdict::Charge => order.charge = Charge::Captured,
        Verdict::Decline => order.charge = Charge::Declined,
        Verdict::DoNothing => order.not_charged |= bit(n),
    }
}

fn decide_refund(state: &mut State, o: usize, n: u8, yes: bool) {
    let State { orders, wrong, .. } = state;
    let order = &mut orders[o];
    if !yes {
        order.refund_refused |= bit(n);
        return;
    }
    if order.refunded != 0 {
        *wrong = Some(Wrong::RefundedTwice);
    }
    order.refunded |= bit(n);
}
