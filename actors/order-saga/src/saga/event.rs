//! Everything that can happen to a saga. Each variant says who sends it and what the sender gets back.

use crate::ids::PaymentId;
use crate::model::{Quote, Refusal};

/// What happened. Answers come from the coordinator's own questions, facts from the bus, requests from people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SagaEvent {
    /// Inventory answered Reserve. From the coordinator's own question; nobody waits for the outcome.
    ReserveAnswered(ReserveAnswer),
    /// Inventory answered Release. From the coordinator's own question.
    ReleaseAnswered(ReleaseAnswer),
    /// Inventory answered Commit. From the coordinator's own question.
    CommitAnswered(CommitAnswer),
    /// Payments answered RequestPayment. From the coordinator's own question.
    RequestAnswered(RequestAnswer),
    /// Payments answered VoidPayment. From the coordinator's own question.
    VoidAnswered(VoidAnswer),
    /// Payments answered RefundPayment. From the coordinator's own question.
    RefundAnswered(RefundAnswer),
    /// A question got no answer: the callee is gone, its mailbox full, the call failed or its deadline passed. The saga's own deadline
    /// asks again.
    Unanswered(Call),
    /// A question was refused: the callee will not carry out this very command. From the coordinator's own question.
    Refused(Call),
    /// `payments.succeeded`: the charge is captured. From the payments consumer, which acknowledges the message after the outcome.
    PaymentSucceeded {
        /// Which payment.
        payment_id: PaymentId,
    },
    /// `payments.failed`: the charge was declined for good. From the payments consumer.
    PaymentFailed {
        /// Which payment.
        payment_id: PaymentId,
        /// A short code: `declined`, `insufficient_funds`, …
        reason: String,
    },
    /// `payments.refunded`. From the payments consumer.
    PaymentRefunded {
        /// Which payment.
        payment_id: PaymentId,
        /// The capture was learnt after the payment had been voided, and payments gave it back by itself.
        late_capture: bool,
    },
    /// `payments.refund_failed`: the provider refused for good. From the payments consumer.
    RefundFailed {
        /// Which payment.
        payment_id: PaymentId,
        /// A short code.
        reason: String,
        /// The capture was learnt after the payment had been voided.
        late_capture: bool,
    },
    /// The customer cancels. From the gRPC adapter, which answers from the outcome.
    CancelRequested,
    /// The customer wants the money back. From the gRPC adapter, which answers from the outcome.
    RefundRequested,
    /// The deadline in the database passed and this replica claimed it. From the sweeper; nobody waits for the outcome.
    DeadlinePassed,
    /// An operator wants the present step asked again, at once. Leaves STUCK. From the admin adapter.
    OperatorRetried,
    /// An operator wants the order given back, from wherever it stands. Leaves STUCK. From the admin adapter.
    OperatorCompensated,
    /// An operator settled a stuck order by hand. From the admin adapter.
    OperatorResolved(Resolution),
    /// Handling this saga crashed its coordinator this often, or its rows are refused by the database. From the registry.
    HandlingPanicked {
        /// How often.
        times: u32,
    },
}

/// Where an operator has brought the money of a stuck order by hand. The stock is asked for its part, unless it has refused that already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// No money was taken.
    Cancelled,
    /// The money is here and stays.
    Completed,
    /// The money is back.
    Refunded,
}

/// What inventory answers to Reserve: the state of the reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReserveAnswer {
    /// Held, at these prices.
    Held(Quote),
    /// Refused for good.
    Refused(Refusal),
    /// Released before, or the release came first (a tombstone).
    Released,
    /// Sold already.
    Committed,
}

/// What inventory answers to Release: the state after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseAnswer {
    /// Nothing is held: released by this call or before, or there never was a hold.
    Released,
    /// Not released: the goods are sold.
    Committed,
}

/// What inventory answers to Commit: the state after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitAnswer {
    /// Sold, by this call or before.
    Committed,
    /// Nothing to commit: the hold was released.
    Released,
    /// Nothing to commit: the reservation was refused.
    Refused,
}

/// What payments answers to RequestPayment: the state of the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestAnswer {
    /// Known, not charged yet.
    Requested,
    /// Charged.
    Captured,
    /// Declined for good; a short code.
    Declined(String),
    /// Voided; it will not be charged.
    Voided,
    /// The outcome of an attempt is open.
    Unknown,
    /// Refused: the same id is known with other parameters.
    Mismatch,
}

/// What payments answers to VoidPayment: the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoidAnswer {
    /// It will not be charged; a capture learnt later is given back by payments.
    Voided,
    /// It was declined for good; a short code.
    Declined(String),
    /// Too late: it is charged.
    Captured,
    /// An attempt is open; the void is recorded and its outcome will decide.
    Unknown,
    /// Refused: the same id is known with other parameters.
    Mismatch,
}

/// What payments answers to RefundPayment: the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundAnswer {
    /// Recorded; the provider has not confirmed yet.
    Pending,
    /// The money is back.
    Refunded,
    /// The provider refused for good; a short code.
    Refused(String),
    /// There is no capture to give back.
    NotCaptured,
}

/// A question that a coordinator asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Inventory: Reserve.
    Reserve,
    /// Inventory: Release.
    Release,
    /// Inventory: Commit.
    Commit,
    /// Payments: RequestPayment.
    Request,
    /// Payments: VoidPayment.
    Void,
    /// Payments: RefundPayment.
    Refund,
}

impl SagaEvent {
    /// Which payment a fact from the bus is about.
    #[must_use]
    pub const fn payment_id(&self) -> Option<PaymentId> {
        match self {
            Self::PaymentSucceeded { payment_id }
            | Self::PaymentFailed { payment_id, .. }
            | Self::PaymentRefunded { payment_id, .. }
            | Self::RefundFailed { payment_id, .. } => Some(*payment_id),
            Self::ReserveAnswered(_)
            | Self::ReleaseAnswered(_)
            | Self::CommitAnswered(_)
            | Self::RequestAnswered(_)
            | Self::VoidAnswered(_)
            | Self::RefundAnswered(_)
            | Self::Unanswered(_)
            | Self::Refused(_)
            | Self::CancelRequested
            | Self::RefundRequested
            | Self::DeadlinePassed
            | Self::OperatorRetried
            | Self::OperatorCompensated
            | Self::OperatorResolved(_)
            | Self::HandlingPanicked { .. } => None,
        }
    }

    /// A short name for traces and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReserveAnswered(_) => "reserve_answered",
            Self::ReleaseAnswered(_) => "release_answered",
            Self::CommitAnswered(_) => "commit_answered",
            Self::RequestAnswered(_) => "request_answered",
            Self::VoidAnswered(_) => "void_answered",
            Self::RefundAnswered(_) => "refund_answered",
            Self::Unanswered(_) => "unanswered",
            Self::Refused(_) => "refused",
            Self::PaymentSucceeded { .. } => "payment_succeeded",
            Self::PaymentFailed { .. } => "payment_failed",
            Self::PaymentRefunded { .. } => "payment_refunded",
            Self::RefundFailed { .. } => "refund_failed",
            Self::CancelRequested => "cancel_requested",
            Self::RefundRequested => "refund_requested",
            Self::DeadlinePassed => "deadline_passed",
            Self::OperatorRetried => "operator_retried",
            Self::OperatorCompensated => "operator_compensated",
            Self::OperatorResolved(_) => "operator_resolved",
            Self::HandlingPanicked { .. } => "handling_panicked",
        }
    }
}
