//! What one write changes: the row, the records beside it, what orders is told, and what follows.

use std::time::Duration;

use uuid::Uuid;

use crate::payment::Payment;

/// State of one charge attempt's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptState {
    /// Recorded, about to be called or being called.
    Open,
    /// The call ended without an answer; a look-up decides.
    Unknown,
    /// Definitely not charged.
    NotCharged,
    /// Refused.
    Declined,
    /// Charged.
    Captured,
}

impl AttemptState {
    /// The name kept in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Unknown => "UNKNOWN",
            Self::NotCharged => "NOT_CHARGED",
            Self::Declined => "DECLINED",
            Self::Captured => "CAPTURED",
        }
    }
}

/// A charge attempt as it is after a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The attempt's number, from 1.
    pub attempt: i32,
    /// Its state.
    pub state: AttemptState,
}

/// State of one refund attempt's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundRecordState {
    /// To be called.
    Requested,
    /// Recorded, about to be called or being called.
    Open,
    /// Given back.
    Refunded,
    /// Definitely refused under this id.
    Refused,
}

impl RefundRecordState {
    /// The name kept in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Open => "OPEN",
            Self::Refunded => "REFUNDED",
            Self::Refused => "REFUSED",
        }
    }
}

/// A refund attempt as it is after a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRecord {
    /// UUIDv5 of (payment_id, attempt).
    pub refund_id: Uuid,
    /// The attempt's number, from 1.
    pub attempt: i32,
    /// Its state.
    pub state: RefundRecordState,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// What orders is told; the service writes it as an outbox row in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentEvent {
    /// Captured, and the order may count on it.
    Succeeded,
    /// Declined for good.
    Failed {
        /// Short code.
        reason: String,
    },
    /// Given back.
    Refunded {
        /// The refund that did it.
        refund_id: Uuid,
        /// The capture was learnt after the payment had been closed.
        late_capture: bool,
    },
    /// Refused for good; money is owed.
    RefundFailed {
        /// The last refund attempt.
        refund_id: Uuid,
        /// Short code.
        reason: String,
        /// The capture was learnt after the payment had been closed.
        late_capture: bool,
    },
}

/// When the sweep has to look at the row. Relative: only the database's clock makes a time of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Nothing is left to do.
    Never,
    /// After this long.
    In(Duration),
    /// As already set, but not sooner than this: an unchanged time keeps the update within its page.
    AtLeast(Duration),
}

/// What the processor does for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Record an attempt, then call.
    Charge,
    /// Ask the provider what became of the charge.
    LookUp,
    /// Record the call, then give the money back.
    Refund,
}

/// Work that follows a commit, done by whoever committed; the row's wake time is the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// What.
    pub work: Work,
    /// Not sooner than this after the commit.
    pub after: Duration,
}

/// What `payments_total` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tally {
    /// Charged.
    Captured,
    /// Refused.
    Declined,
    /// Given up without a capture.
    Voided,
    /// Given back.
    Refunded,
    /// Attempts spent, or a refund refused for good.
    Error,
}

impl Tally {
    /// The metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Voided => "voided",
            Self::Refunded => "refunded",
            Self::Error => "error",
        }
    }
}

/// The row that a change was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// There is none: insert.
    Absent,
    /// Update, only if the row still has this version.
    Version(i64),
}

/// One atomic write: the row, the records beside it and the event, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What must hold for the write.
    pub base: Base,
    /// The row afterwards.
    pub payment: Payment,
    /// When the sweep looks at it.
    pub wake: Wake,
    /// The charge attempt that is opened or closed.
    pub attempt: Option<AttemptRecord>,
    /// Refund attempts that are opened or closed; at most two (one refused, the next requested).
    pub refunds: Vec<RefundRecord>,
    /// What orders is told.
    pub event: Option<PaymentEvent>,
    /// What to do after the commit.
    pub follow_up: Option<FollowUp>,
    /// What to count after the commit.
    pub tally: Option<Tally>,
}
