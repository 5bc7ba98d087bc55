//! What a transition brings about. Durable effects are rows of the same commit as the new step; volatile ones run after that commit and
//! may be lost, because [`super::resume`] names them again. They are different types so that neither can take the other's way.

use std::sync::Arc;
use std::time::Duration;

use super::{CancelReason, OrderStatus, Saga, SagaState};
use crate::ids::{PaymentId, Version};
use crate::model::{Cents, Currency, Quote, Refusal};

/// What `step` decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stepped {
    /// A transition: write it, then run its volatile effects.
    Next(Next),
    /// Nothing to do, for this reason. The sender has its answer.
    Ignore(Ignored),
    /// The event contradicts the step. Counts only on a freshly loaded saga: on a cached one it may just mean that the cache is old.
    Illegal,
}

/// A transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The saga after it.
    pub saga: Saga,
    /// Written in the same commit.
    pub durable: Vec<DurableEffect>,
    /// Run after the commit, in this order.
    pub volatile: Vec<VolatileEffect>,
}

/// A row that is written with the new step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DurableEffect {
    /// A row of the order's timeline; every transition has exactly one, it carries the write id.
    Timeline(TimelineEntry),
    /// What the held stock costs, onto the order's rows.
    Quote(Arc<Quote>),
    /// An event for everybody, through the outbox.
    Publish(OrderEvent),
    /// The deadline.
    Wake(Wake),
}

/// What happens to the deadline. The database adds its own `now()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// It stays: an order that goes well never moves it, which keeps its row's index untouched.
    Keep,
    /// This long from now.
    After(Duration),
    /// There is none: the saga is at rest.
    Never,
}

/// One line of an order's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The version it led to.
    pub version: Version,
    /// What the customer sees since.
    pub status: OrderStatus,
    /// The step's name since.
    pub step: &'static str,
    /// What the operator sees since.
    pub saga_state: SagaState,
    /// What made the transition: readable, nothing personal.
    pub cause: String,
}

/// An event on the stream ORDERS. Its `aggregate_seq` is the saga's version after the transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEvent {
    /// `orders.created`: the stock is held, the payment is requested. The order's lines, customer and method are with the saga.
    Created {
        /// Under which id to charge.
        payment_id: PaymentId,
        /// How much, at which prices.
        quote: Arc<Quote>,
    },
    /// `orders.paid`.
    Paid {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        total: Cents,
        /// Of what.
        currency: Currency,
    },
    /// `orders.rejected`.
    Rejected {
        /// Why.
        refusal: Refusal,
    },
    /// `orders.cancelled`.
    Cancelled {
        /// Why.
        reason: CancelReason,
    },
    /// `orders.refunded`.
    Refunded {
        /// The payment.
        payment_id: PaymentId,
        /// How much.
        total: Cents,
        /// Of what.
        currency: Currency,
    },
}

/// What follows a commit. Every one is idempotent at its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VolatileEffect {
    /// Inventory: hold the stock. Answers [`super::SagaEvent::ReserveAnswered`] or [`super::SagaEvent::Unanswered`].
    AskReserve,
    /// Inventory: give it back. Answers [`super::SagaEvent::ReleaseAnswered`] or [`super::SagaEvent::Unanswered`].
    AskRelease,
    /// Inventory: it is sold. Answers [`super::SagaEvent::CommitAnswered`] or [`super::SagaEvent::Unanswered`].
    AskCommit,
    /// Payments: the request again, past the bus. Answers [`super::SagaEvent::RequestAnswered`] or [`super::SagaEvent::Unanswered`].
    RequestPayment,
    /// Payments: do not charge any more. Answers [`super::SagaEvent::VoidAnswered`] or [`super::SagaEvent::Unanswered`].
    VoidPayment,
    /// Payments: give the money back. Answers [`super::SagaEvent::RefundAnswered`] or [`super::SagaEvent::Unanswered`].
    RefundPayment,
    /// Tell operators that this step hangs. Nothing comes back.
    Alert,
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// What it says is known.
    Duplicate,
    /// It belongs to a step that the saga has left.
    Superseded,
    /// There is nothing to decide on; the step's deadline asks again.
    AwaitsDeadline,
    /// What it asks for holds already.
    AlreadyHolds,
    /// A cancel of a paid order: ask for a refund.
    AlreadyPaid,
    /// A cancel of an order that was rejected.
    NotCancellable,
    /// A refund of an order that is not paid.
    NotPaid,
    /// The saga has ended.
    Ended,
    /// The saga is stuck: people decide.
    IsStuck,
    /// An operator resolves what is not stuck, or in a way that does not fit its step.
    NotResolvable,
}

impl Ignored {
    /// Whether the sender is turned away. Like [`Stepped::Illegal`] that counts only on a freshly loaded saga: another replica may have
    /// moved it on.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::AlreadyPaid
            | Self::NotCancellable
            | Self::NotPaid
            | Self::IsStuck
            | Self::NotResolvable => true,
            Self::Duplicate
            | Self::Superseded
            | Self::AwaitsDeadline
            | Self::AlreadyHolds
            | Self::Ended => false,
        }
    }
}

impl OrderEvent {
    /// The last part of its subject: `orders.<name>`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Paid { .. } => "paid",
            Self::Rejected { .. } => "rejected",
            Self::Cancelled { .. } => "cancelled",
            Self::Refunded { .. } => "refunded",
        }
    }
}
