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
//!   An answer may reach any replica: each may have asked the same.
//! - **A replica is a possibly stale cache.** Between a commit and its effects it may crash. A write that is refused because another version
//!   is stored reads again and decides the same event anew; the step and its write are one step here, because a cache does not change
//!   in between.
//! - **Deadlines** pass at any time while there is one. **The customer** cancels and asks for the money back at any time, anywhere.
//! - **An unknown commit** is a commit whose replica crashed, and an event that is delivered again.
//! - **The provider** decides when a call arrives, which may be long after the caller gave up; not, however, a day later, when payments
//!   has looked for the last time.

use order_saga::SagaLimits;
use payment::Policy;

use crate::bugs::Bug;
use crate::events::Command;
use crate::glue;
use crate::healing::Healing;
use crate::payments::{Happening, Payments, Row};
use crate::sagas::{EventNo, Sagas};
use crate::state::{ORDERS_MAX, OrderState, REPLICAS_MAX, Replica, State};
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
    /// How many answers may be under way at once, to arrive late or never. With none, an answer is taken or lost at once.
    pub(crate) answers_under_way: usize,
    /// The customer may ask for the money back.
    pub(crate) refunds: bool,
    /// Handling an order may panic too often, and operators retry, give back and settle by hand, anywhere and at any time.
    pub(crate) operators: bool,
    /// What the provider may do besides charging and giving back.
    pub(crate) provider: Provider,
    /// Replicas are interchangeable: states that differ in their order are one.
    pub(crate) symmetric: bool,
}

/// What a provider may do besides charging and giving back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Provider {
    /// A call takes time: it is recorded, reaches the provider, and payments learns of it. Otherwise all of that is one step.
    pub(crate) takes_time: bool,
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
    pub(crate) facts: Vec<[EventNo; 6]>,
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
    /// An answer under way arrives.
    Answer(usize, usize, usize),
    /// Handling the order has panicked too often.
    Poison(usize, usize),
    /// An operator wants the step asked again.
    Retry(usize, usize),
    /// An operator gives the order back.
    Compensate(usize, usize),
    /// An operator has settled the money elsewhere and says how. The number counts [`crate::events::RESOLUTIONS`].
    Resolve(usize, usize, usize),
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
    /// All of an attempt, at once.
    Charge(usize, Verdict),
    /// All of a refund, at once.
    GiveBack(usize),
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Lost,
    /// Takes this place among the answers under way; whatever was there is lost.
    Travels(usize),
    At(usize),
}

/// What the provider decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Charge,
    Decline,
    DoNothing,
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
}

pub(crate) const fn bit(n: u8) -> u8 {
    1 << (n - 1)
}

/// Money that people gave back, among the refunds of the provider's books.
pub(crate) const BY_HAND: u8 = bit(8);

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
