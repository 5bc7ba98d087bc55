//! What the step means to customers and operators: pure functions of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Goods, Saga, SagaStep, StuckReason, VoidCause};

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $code)] $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable code, as stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

coded! {
    /// What the customer sees.
    OrderStatus {
        /// Accepted; the stock has not answered.
        Pending = "PENDING",
        /// The stock is held, the payment under way.
        AwaitingPayment = "AWAITING_PAYMENT",
        /// The money is taken.
        Paid = "PAID",
        /// The stock refused.
        Rejected = "REJECTED",
        /// On the way to CANCELLED (or, when the charge wins, to PAID or REFUNDED).
        CancelPending = "CANCEL_PENDING",
        /// Nothing is held, nothing is owed.
        Cancelled = "CANCELLED",
        /// The money is on its way back.
        RefundPending = "REFUND_PENDING",
        /// The money is back.
        Refunded = "REFUNDED",
    }
}

coded! {
    /// What the operator sees.
    SagaState {
        /// On the way forward.
        Running = "RUNNING",
        /// On the way back.
        Compensating = "COMPENSATING",
        /// Arrived.
        Completed = "COMPLETED",
        /// Everything was given back, or nothing was taken.
        Compensated = "COMPENSATED",
        /// Needs people.
        Stuck = "STUCK",
    }
}

coded! {
    /// Why an order is, or is to be, cancelled.
    CancelReason {
        /// The charge was declined.
        PaymentDeclined = "payment_declined",
        /// The charge did not succeed in time.
        PaymentTimeout = "payment_timeout",
        /// The customer cancelled.
        UserRequested = "user_requested",
        /// The stock did not answer in time.
        InventoryUnavailable = "inventory_unavailable",
        /// An operator gave the order back.
        Operator = "operator",
    }
}

impl From<VoidCause> for CancelReason {
    fn from(cause: VoidCause) -> Self {
        match cause {
            VoidCause::PaymentTimeout => Self::PaymentTimeout,
            VoidCause::UserRequested => Self::UserRequested,
            VoidCause::Operator => Self::Operator,
        }
    }
}

impl StuckReason {
    /// The stable code, as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CommitRefused => "commit_refused",
            Self::ReleaseRefused => "release_refused",
            Self::RefundRefused => "refund_refused",
            Self::PaymentMismatch => "payment_mismatch",
            Self::CallRefused => "call_refused",
            Self::Poison => "poison",
        }
    }
}

impl SagaStep {
    /// The step's stable name, as stored and shown.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reserving => "reserving",
            Self::AwaitingPayment => "awaiting_payment",
            Self::Voiding { .. } => "voiding",
            Self::Releasing { .. } => "releasing",
            Self::Committing => "committing",
            Self::Completed => "completed",
            Self::CommittingForRefund => "committing_for_refund",
            Self::ReleasingForRefund { .. } => "releasing_for_refund",
            Self::Refunding { .. } => "refunding",
            Self::Settling { .. } => "settling",
            Self::Refunded { .. } => "refunded",
            Self::Cancelled { .. } => "cancelled",
            Self::Rejected { .. } => "rejected",
            Self::Stuck { .. } => "stuck",
        }
    }

    /// What the customer sees.
    #[must_use]
    pub fn status(&self) -> OrderStatus {
        match self {
            Self::Reserving => OrderStatus::Pending,
            Self::AwaitingPayment => OrderStatus::AwaitingPayment,
            Self::Voiding { .. } | Self::Releasing { .. } => OrderStatus::CancelPending,
            Self::Committing | Self::Completed => OrderStatus::Paid,
            Self::CommittingForRefund
            | Self::ReleasingForRefund { .. }
            | Self::Refunding { .. }
            | Self::Settling { .. } => OrderStatus::RefundPending,
            Self::Refunded { .. } => OrderStatus::Refunded,
            Self::Cancelled { .. } => OrderStatus::Cancelled,
            Self::Rejected { .. } => OrderStatus::Rejected,
            Self::Stuck { at, .. } => at.status(),
        }
    }

    /// What the operator sees.
    #[must_use]
    pub const fn saga_state(&self) -> SagaState {
        match self {
            Self::Reserving | Self::AwaitingPayment | Self::Committing => SagaState::Running,
            Self::Voiding { .. }
            | Self::Releasing { .. }
            | Self::CommittingForRefund
            | Self::ReleasingForRefund { .. }
            | Self::Refunding { .. }
            | Self::Settling { .. } => SagaState::Compensating,
            Self::Completed => SagaState::Completed,
            Self::Refunded { .. } | Self::Cancelled { .. } | Self::Rejected { .. } => {
                SagaState::Compensated
            }
            Self::Stuck { .. } => SagaState::Stuck,
        }
    }

    /// Why the order is, or is to be, cancelled.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        match self {
            Self::Voiding { cause } | Self::ReleasingForRefund { cause } => Some((*cause).into()),
            Self::Releasing { reason } | Self::Cancelled { reason } => Some(*reason),
            Self::Refunding { goods } | Self::Settling { goods } | Self::Refunded { goods } => {
                match goods {
                    Goods::Sold => None,
                    Goods::Released { cause } => Some((*cause).into()),
                }
            }
            Self::Stuck { at, .. } => at.cancel_reason(),
            Self::Reserving
            | Self::AwaitingPayment
            | Self::Committing
            | Self::Completed
            | Self::CommittingForRefund
            | Self::Rejected { .. } => None,
        }
    }

    /// Whether nothing moves the saga by itself: it has ended or is stuck. Such a saga has no deadline.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        match self.saga_state() {
            SagaState::Completed | SagaState::Compensated | SagaState::Stuck => true,
            SagaState::Running | SagaState::Compensating => false,
        }
    }
}

impl OrderStatus {
    /// Whether a caller with `Prefer: wait` has what it waits for: the order is paid, rejected, cancelled or refunded.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Paid | Self::Rejected | Self::Cancelled | Self::Refunded => true,
            Self::Pending | Self::AwaitingPayment | Self::CancelPending | Self::RefundPending => {
                false
            }
        }
    }
}

impl Saga {
    /// What the customer sees.
    #[must_use]
    pub fn status(&self) -> OrderStatus {
        self.step.status()
    }

    /// What the operator sees.
    #[must_use]
    pub const fn saga_state(&self) -> SagaState {
        self.step.saga_state()
    }

    /// Why the order is, or is to be, cancelled.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.step.cancel_reason()
    }
}
