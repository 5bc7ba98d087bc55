//! The protocol as a state machine of everything: which steps anybody may take, and what each does. The decisions come from the tables
//! of the shipped rules; what is written here is who may act when, what gets lost, and what arrives late.
//!
//! ```text
//!   customer ─▶ replicas of orders ── commit (one row, guarded by the version) ─▶ commands ─▶ inventory │ payments ─▶ answers
//!                      ▲                    │ outbox                                             │ outbox      │
//!                      └──── the bus: a set ┴── orders.created ─▶ payments ◀── sweep ─▶ provider ┴─ the bus ◀──┘
//! ```
//!
//! - **The bus is a set**, and so are commands: what was sent is executed any number of times, at any time, or never.
//! - **A replica is a possibly stale cache.** Between a commit and its effects it may crash. A write that is refused because another version
//!   is stored reads again and decides the same event anew; the step and its write are one step here, because a cache does not change
//!   in between.
//! - **Deadlines** pass at any time while there is one. **The customer** cancels and asks for the money back at any time, anywhere.
//! - **An unknown commit** is a commit whose replica crashed, and an event that is delivered again.
//! - **The provider** decides when a call arrives, which may be long after the caller gave up; not, however, a day later, when payments
//!   has looked for the last time.

use jetstream::disposition::{Arrival, Disposition, on_answer, on_arrival};
use order_saga::SagaLimits;
use order_saga::saga::Ignored;
use payment::{PaymentState, Policy, RefundState, Work};

use crate::bugs::Bug;
use crate::glue;
use crate::healing::Healing;
use crate::payments::{Applied, Happening, Payments, Row, fact};
use crate::sagas::{Command, EventNo, Move, NO_SAGA, Reaction, Sagas, told};
use crate::state::{
    Charge, FRESH, NO_ANSWER, ORDERS_MAX, OrderState, REPLICAS_MAX, Replica, State, Wrong,
};
use crate::stocks::Stocks;

/// What a configuration has.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) orders: usize,
    pub(crate) replicas: usize,
    /// Pieces on hand, one beginning each.
    pub(crate) starts: &'static [i64],
    pub(crate) limits: SagaLimits,
    pub(crate) policy: Policy,
    /// Charge attempts of one payment, over all rounds.
    pub(crate) attempts_max: u8,
    /// Answers travel, so that they may arrive late; otherwise they are taken or lost at once.
    pub(crate) answers_travel: bool,
    /// The customer may ask for the money back.
    pub(crate) refunds: bool,
    /// What the provider may do besides charging and giving back.
    pub(crate) provider: Provider,
    /// Replicas are interchangeable: states that differ in their order are one.
    pub(crate) symmetric: bool,
}

/// What a provider may do besides charging and giving back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Provider {
    pub(crate) declines: bool,
    pub(crate) fails: bool,
    pub(crate) keeps_silent: bool,
    pub(crate) refuses_refunds: bool,
}

/// The whole machine.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) bug: Option<Bug>,
    pub(crate) sagas: Vec<Sagas>,
    pub(crate) payments: Vec<Payments>,
    pub(crate) stocks: Stocks,
    pub(crate) healing: Healing,
    /// Facts in the numbers of the saga's events, by bit.
    facts: Vec<[EventNo; 6]>,
}

/// Somebody's step. The first number is the order, the second the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The order is accepted.
    Accept(usize),
    /// The effects of the last commit run.
    RunEffects(usize, usize),
    /// The replica forgets everything about the order.
    Crash(usize, usize),
    /// The deadline passes, and this replica claims it.
    Deadline(usize, usize),
    /// The customer cancels.
    Cancel(usize, usize),
    /// The customer wants the money back.
    AskRefund(usize, usize),
    /// The bus delivers an event of payments.
    Fact(usize, usize, u8),
    /// The answer under way arrives.
    Answer(usize, usize),
    /// A sent command is executed.
    Execute(usize, Command, Reply),
    /// The bus delivers `orders.created`.
    Created(usize),
    /// Payments records an attempt; its call may reach the provider from now on.
    Attempt(usize),
    /// The call of an attempt reaches the provider.
    Decide(usize, u8, Verdict),
    /// Payments learns how a call ended.
    Outcome(usize, Happening),
    /// Payments looks the charge up and finds nothing.
    LookUp(usize),
    /// Payments records a refund call.
    RefundCall(usize),
    /// The refund call reaches the provider.
    DecideRefund(usize, u8, bool),
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Lost,
    Travels,
    At(usize),
}

/// What the provider decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Charge,
    Decline,
    DoNothing,
}

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
    pub(crate) fn new(config: Config, bug: Option<Bug>) -> Self {
        assert!(config.orders <= ORDERS_MAX && config.replicas <= REPLICAS_MAX);
        let orders: Vec<_> = (0..config.orders).map(glue::order).collect();
        let sagas: Vec<Sagas> = orders
            .iter()
            .map(|order| Sagas::tabulate(order.clone(), &config.limits, bug))
            .collect();
        let payments: Vec<Payments> = orders
            .iter()
            .map(|order| Payments::tabulate(order, &config.policy, config.attempts_max, bug))
            .collect();
        let stocks = Stocks::tabulate(&orders, config.starts, bug);
        let numbers = sagas.iter().map(facts_of).collect();
        Self {
            config,
            bug,
            sagas,
            payments,
            stocks,
            healing: Healing::default(),
            facts: numbers,
        }
    }

    pub(crate) fn beginnings(&self) -> Vec<State> {
        let begin = |books: usize| State {
            orders: [OrderState::UNBORN; ORDERS_MAX],
            books: u16::try_from(books).unwrap(),
            wrong: None,
        };
        (0..self.config.starts.len()).map(begin).collect()
    }

    pub(crate) fn replicas<'a>(&self, order: &'a OrderState) -> &'a [Replica] {
        &order.replicas[..self.config.replicas]
    }

    pub(crate) fn row(&self, order: usize, state: &OrderState) -> Option<&Row> {
        self.payments[order].row(state.row)
    }

    /// Every step that somebody could take. Some change nothing.
    pub(crate) fn steps(&self, state: &State, actions: &mut Vec<Action>) {
        if state.wrong.is_some() {
            return;
        }
        for (o, order) in state.orders[..self.config.orders].iter().enumerate() {
            if order.saga == NO_SAGA {
                actions.push(Action::Accept(o));
                continue;
            }
            self.replica_steps(o, order, actions);
            self.command_steps(o, order, actions);
            self.payment_steps(o, order, actions);
        }
    }

    fn replica_steps(&self, o: usize, order: &OrderState, actions: &mut Vec<Action>) {
        let replicas = self.replicas(order);
        for (r, replica) in replicas.iter().enumerate() {
            if self.config.symmetric && r > 0 && replicas[r - 1] == *replica {
                continue;
            }
            if replica.pending != 0 {
                actions.extend([Action::RunEffects(o, r), Action::Crash(o, r)]);
                continue;
            }
            if replica.cache != FRESH {
                actions.push(Action::Crash(o, r));
            }
            if order.wake {
                actions.push(Action::Deadline(o, r));
            }
            actions.push(Action::Cancel(o, r));
            if self.config.refunds {
                actions.push(Action::AskRefund(o, r));
            }
            let facts = fact::ALL.into_iter().filter(|fact| order.facts & fact != 0);
            actions.extend(facts.map(|fact| Action::Fact(o, r, fact)));
            if order.answer != NO_ANSWER {
                actions.push(Action::Answer(o, r));
            }
        }
    }

    fn command_steps(&self, o: usize, order: &OrderState, actions: &mut Vec<Action>) {
        for command in Command::ALL {
            if order.sent & command as u8 == 0 {
                continue;
            }
            actions.push(Action::Execute(o, command, Reply::Lost));
            if self.config.answers_travel {
                actions.push(Action::Execute(o, command, Reply::Travels));
            } else {
                let replicas = self.replicas(order).iter().enumerate();
                let idle = replicas.filter(|(_, replica)| replica.pending == 0);
                actions.extend(idle.map(|(r, _)| Action::Execute(o, command, Reply::At(r))));
            }
        }
    }

    fn payment_steps(&self, o: usize, order: &OrderState, actions: &mut Vec<Action>) {
        if order.told & told::CREATED != 0 {
            actions.push(Action::Created(o));
        }
        let Some(row) = self.row(o, order) else {
            return;
        };
        match row.work {
            Some(Work::Charge) => actions.push(Action::Attempt(o)),
            Some(Work::LookUp) if order.charge != Charge::Captured => {
                actions.push(Action::LookUp(o));
            }
            Some(Work::Refund) => actions.push(Action::RefundCall(o)),
            Some(Work::LookUp) | None => {}
        }
        let can = self.config.provider;
        for n in 1..=attempts(row) {
            if order.charge == Charge::Undecided
                && order.not_charged & bit(n) == 0
                && !row.watch_over
            {
                actions.push(Action::Decide(o, n, Verdict::Charge));
                if can.declines {
                    actions.push(Action::Decide(o, n, Verdict::Decline));
                }
                if can.fails {
                    actions.push(Action::Decide(o, n, Verdict::DoNothing));
                }
            }
            match order.charge {
                Charge::Captured => actions.extend(
                    [Happening::Captured(n), Happening::FoundCharged(n)]
                        .map(|happening| Action::Outcome(o, happening)),
                ),
                Charge::Declined => actions.push(Action::Outcome(o, Happening::Declined(n))),
                Charge::Undecided => {}
            }
            if order.not_charged & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::NotCharged(n)));
            }
            if can.keeps_silent {
                actions.push(Action::Outcome(o, Happening::Unanswered(n)));
            }
            if order.nothing_found & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::FoundNothing(n, 0)));
            }
        }
        for n in 1..=refund_attempts(row) {
            let decided = (order.refunded | order.refund_refused) & bit(n) != 0;
            let called = n < refund_attempts(row) || row.payment.refund == RefundState::Open;
            if called && !decided {
                actions.push(Action::DecideRefund(o, n, true));
                if can.refuses_refunds {
                    actions.push(Action::DecideRefund(o, n, false));
                }
            }
            if order.refunded & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::Refunded(n)));
            }
            if order.refund_refused & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::RefundRefused(n)));
            }
        }
    }

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
            Action::Deadline(o, r) => {
                self.handle(
                    &mut state,
                    o,
                    r,
                    self.sagas[o].known.deadline,
                    Sender::Nobody,
                );
            }
            Action::Cancel(o, r) => {
                self.handle(&mut state, o, r, self.sagas[o].known.cancel, Sender::Cancel);
            }
            Action::AskRefund(o, r) => {
                self.handle(
                    &mut state,
                    o,
                    r,
                    self.sagas[o].known.ask_refund,
                    Sender::AskRefund,
                );
            }
            Action::Fact(o, r, fact) => {
                let event = self.facts[o][fact.trailing_zeros() as usize];
                self.handle(&mut state, o, r, event, Sender::Bus);
            }
            Action::Answer(o, r) => {
                let event = std::mem::replace(&mut state.orders[o].answer, NO_ANSWER);
                self.handle(&mut state, o, r, event, Sender::Nobody);
            }
            Action::Execute(o, command, reply) => {
                let answer = self.execute(&mut state, o, command);
                match (reply, answer) {
                    (Reply::Travels, Some(answer)) => state.orders[o].answer = answer,
                    (Reply::At(r), Some(answer)) => {
                        self.handle(&mut state, o, r, answer, Sender::Nobody);
                    }
                    (Reply::Lost | Reply::Travels | Reply::At(_), _) => {}
                }
            }
            Action::Created(o) => {
                self.happens(&mut state, o, Happening::Request);
            }
            Action::Attempt(o) => {
                self.happens(&mut state, o, Happening::AttemptStarted);
            }
            Action::Decide(o, n, verdict) => match verdict {
                Verdict::Charge => state.orders[o].charge = Charge::Captured,
                Verdict::Decline => state.orders[o].charge = Charge::Declined,
                Verdict::DoNothing => state.orders[o].not_charged |= bit(n),
            },
            Action::Outcome(o, happening) => {
                self.happens(&mut state, o, happening);
            }
            Action::LookUp(o) => self.look_up(&mut state, o),
            Action::RefundCall(o) => {
                self.happens(&mut state, o, Happening::RefundStarted);
            }
            Action::DecideRefund(o, n, yes) => decide_refund(&mut state, o, n, yes),
        }
        if self.config.symmetric {
            for order in &mut state.orders[..self.config.orders] {
                order.replicas[..self.config.replicas].sort_unstable();
            }
        }
        (state != *before).then_some(state)
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
    let heard = !matches!(sagas.react(order.saga, event), Reaction::Next(_));
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

pub(crate) const fn bit(n: u8) -> u8 {
    1 << (n - 1)
}

/// Charge attempts recorded so far.
pub(crate) fn attempts(row: &Row) -> u8 {
    u8::try_from(row.payment.attempt).unwrap()
}

/// Refund attempts recorded so far.
pub(crate) fn refund_attempts(row: &Row) -> u8 {
    u8::try_from(row.payment.refund_attempt).unwrap()
}

fn facts_of(sagas: &Sagas) -> [EventNo; 6] {
    use payment::PaymentEvent;
    let refund_id = uuid::Uuid::nil();
    let refunded = |late_capture| PaymentEvent::Refunded {
        refund_id,
        late_capture,
    };
    let failed = |late_capture| PaymentEvent::RefundFailed {
        refund_id,
        reason: "refused".to_owned(),
        late_capture,
    };
    let events = [
        PaymentEvent::Succeeded,
        PaymentEvent::Failed {
            reason: "declined".to_owned(),
        },
        refunded(false),
        failed(false),
        refunded(true),
        failed(true),
    ];
    events.map(|event| sagas.number(&glue::from_payments(&sagas.order, &event)))
}
