//! The state machine of one order. Pure.
//!
//! ```text
//!   Reserving ──held──▶ AwaitingPayment ──captured──▶ Committing ──committed──▶ Completed
//!    │   │ │               │       │                  ▲    │ │                      │
//!    │   │ └refused▶       │    declined              │    │ └─refused▶ Stuck        │ refund asked for
//!    │   │   Rejected      │       │          captured│    │ refund asked for        │
//!    │   │                 │       │     (only after a│    ▼                         │
//!    │   │   no payment in │       │     time-out)    │  CommittingForRefund         │
//!    │   │   time, or      │       │                  │    │ committed               │
//!    │   │   cancelled     ▼       │                  │    └──────────┐              │
//!    │   │             Voiding ────┼──────────────────┘               ▼              ▼
//!    │   │               │  │ captured after a cancel              Refunding ◀───────┘
//!    │   │               │  └────────▶ ReleasingForRefund ──released──▶ │
//!    │   │ voided, declined                                            │ refunded
//!    ▼   ▼               ▼                                             ▼
//!   Releasing (stock did not answer, or cancelled) ──▶ Cancelled    Refunded
//! ```
//!
//! The captured charge is the pivot: before it failure releases, after it the saga only goes forward, or refunds. Any step that waits can
//! become [`SagaStep::Stuck`], which only people leave. What they settle outside is the money; the goods the saga still settles with the
//! stock, in [`SagaStep::Releasing`], [`SagaStep::Committing`] or [`SagaStep::Settling`].
//!
//! - [`step`]: one match over (step, event); says what changes, what must be written with it and what follows.
//! - [`resume`]: what a stored saga needs to have asked again. After a crash anywhere, `resume` is enough.
//! - [`OrderStatus`], [`SagaState`]: functions of the step, never stored beside it as truth.
//!
//! **Invariants.** Each transition adds one to the version. [`Stepped::Ignore`] and [`Stepped::Illegal`] change nothing. Compensation never
//! gives up. Durable effects are written with the step, volatile ones run after that write and can be lost without harm.

mod accept;
mod effect;
mod event;
mod moves;
mod status;
mod step;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use accept::accept;
pub use effect::{
    DurableEffect, Ignored, Next, OrderEvent, Stepped, TimelineEntry, VolatileEffect, Wake,
};
pub use event::{
    Call, CommitAnswer, RefundAnswer, ReleaseAnswer, RequestAnswer, ReserveAnswer, Resolution,
    SagaEvent, VoidAnswer,
};
pub use status::{CancelReason, OrderStatus, SagaState};
pub use step::{Inputs, resume, step};

use crate::ids::Version;
use crate::model::{Order, Quote, Refusal};

/// Where an order stands. The only stored state; status and saga state are computed from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum SagaStep {
    /// Inventory is asked to hold the stock.
    Reserving,
    /// Stock is held; payments charges.
    AwaitingPayment,
    /// The payment must not happen any more; payments is asked to void it.
    Voiding {
        /// Why.
        cause: VoidCause,
    },
    /// No money was taken and none will be; the stock goes back.
    Releasing {
        /// Why the order ends.
        reason: CancelReason,
    },
    /// Paid; inventory is asked to turn the hold into a sale.
    Committing,
    /// Paid and sold. Ended, unless a refund is asked for.
    Completed,
    /// A refund was asked for before the sale was confirmed: the sale is finished first.
    CommittingForRefund,
    /// The charge won against a cancel: the stock goes back, then the money.
    ReleasingForRefund {
        /// Why the order was to be voided.
        cause: VoidCause,
    },
    /// The money goes back.
    Refunding {
        /// Where the goods are.
        goods: Goods,
    },
    /// An operator gave the money back by hand; the stock is asked to sell or to release what it may still hold.
    Settling {
        /// Where the goods are to be.
        goods: Goods,
    },
    /// The money is back. Ended.
    Refunded {
        /// Where the goods are.
        goods: Goods,
    },
    /// Nothing is held and no money was taken. Ended.
    Cancelled {
        /// Why.
        reason: CancelReason,
    },
    /// Inventory refused. Ended.
    Rejected {
        /// What it refused.
        refusal: Refusal,
    },
    /// Set aside: nothing moves it but people.
    Stuck {
        /// The step it was set aside in.
        at: Box<SagaStep>,
        /// Why.
        reason: StuckReason,
    },
}

/// Why a payment is to be voided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidCause {
    /// It missed its last deadline. A capture that turns up is welcome: the order is paid.
    PaymentTimeout,
    /// The customer cancelled.
    UserRequested,
    /// An operator gave the order back.
    Operator,
}

/// Where the goods of a refunded order are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "goods", rename_all = "snake_case")]
pub enum Goods {
    /// Sold; they stay sold until an operator adjusts the stock.
    Sold,
    /// Back in stock.
    Released {
        /// Why the order was cancelled.
        cause: VoidCause,
    },
}

/// Why a saga needs people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckReason {
    /// Inventory has nothing to commit: an operator's act there, or a bug.
    CommitRefused,
    /// Inventory does not release what it has sold.
    ReleaseRefused,
    /// The provider refused the refund for good; money is owed.
    RefundRefused,
    /// Payments knows the payment under other parameters, or denies a capture it reported.
    PaymentMismatch,
    /// Whoever is asked refuses the command itself, again and again.
    CallRefused,
    /// Handling it panicked again and again, or the database refuses its rows.
    Poison,
}

/// What payments told about money taken after the payment was voided. It settles such money itself; orders only notes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateMoney {
    /// Nothing.
    #[default]
    None,
    /// Taken, and the refund was refused.
    RefundFailed,
    /// Taken and given back.
    Refunded,
}

/// One order on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saga {
    /// What never changes.
    pub order: Arc<Order>,
    /// Counts the transitions; guards every write.
    pub version: Version,
    /// Where it stands.
    pub step: SagaStep,
    /// What the held stock costs; set once, when inventory answers Held.
    pub quote: Option<Arc<Quote>>,
    /// How many deadlines the present step has missed.
    pub missed_deadlines: u32,
    /// What payments told about late money.
    pub late_money: LateMoney,
}

/// The part of a saga that changes with each transition, as it is stored (JSON) beside the version. The quote is stored with the order:
/// it changes once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SagaDetails {
    /// See [`Saga::step`].
    #[serde(flatten)]
    pub step: SagaStep,
    /// See [`Saga::missed_deadlines`].
    #[serde(default)]
    pub missed_deadlines: u32,
    /// See [`Saga::late_money`].
    #[serde(default)]
    pub late_money: LateMoney,
}

impl Saga {
    /// What is stored with each transition.
    #[must_use]
    pub fn details(&self) -> SagaDetails {
        SagaDetails {
            step: self.step.clone(),
            missed_deadlines: self.missed_deadlines,
            late_money: self.late_money,
        }
    }

    /// A saga as it was stored.
    #[must_use]
    pub fn restore(
        order: Arc<Order>,
        version: Version,
        quote: Option<Arc<Quote>>,
        details: SagaDetails,
    ) -> Self {
        Self {
            order,
            version,
            step: details.step,
            quote,
            missed_deadlines: details.missed_deadlines,
            late_money: details.late_money,
        }
    }
}
