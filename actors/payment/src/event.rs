//! Everything that can happen to a payment.

use crate::payment::PaymentRequest;

/// A command or a fact. Facts about the provider are delivered at least once and in no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// From `orders.created` or `RequestPayment`: pay this. Answered with the present state.
    Request(PaymentRequest),
    /// From `VoidPayment`: do not pay this. Carries the parameters, so that it can come first and leave a tombstone.
    Void(PaymentRequest),
    /// From `RefundPayment`: give the captured money back.
    Refund,
    /// From an operator: try a refund again that was refused for good.
    RefundInsisted {
        /// The row's version that the operator looked at.
        version: i64,
    },
    /// From the processor, before it calls the provider: an attempt is about to begin.
    AttemptStarted,
    /// From the processor: what became of the call.
    AttemptEnded {
        /// The attempt's number.
        attempt: i32,
        /// What the provider said.
        outcome: AttemptOutcome,
    },
    /// From the processor: what the provider's books say.
    LookedUp {
        /// The attempt that was the last one when the look-up began.
        attempt: i32,
        /// The row's `look_ups` when the look-up began: each step of the watch over a voided payment counts once.
        look_up: i32,
        /// What the provider said.
        found: Found,
    },
    /// From the processor, before it calls the provider: a refund call is about to begin.
    RefundStarted,
    /// From the processor: what became of the refund call.
    RefundEnded {
        /// The refund attempt's number.
        attempt: i32,
        /// What the provider said.
        outcome: RefundOutcome,
    },
}

/// How a charge call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// Charged.
    Captured,
    /// Refused for good, under this idempotency key for ever.
    Declined {
        /// Short code.
        reason: String,
    },
    /// The provider answered that it did nothing; the same key may be tried again.
    NotCharged,
    /// No answer, or one that cannot be trusted: charged or not.
    Unknown,
}

/// What a look-up found under the payment's idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A capture (given back since or not).
    Charged,
    /// No capture so far.
    NotCharged,
}

/// How a refund call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// Given back.
    Refunded,
    /// Refused under this `refund_id` for ever; another attempt has another id.
    Refused {
        /// Short code.
        reason: String,
    },
    /// No answer, or the provider was busy: repeat the same `refund_id`.
    Unknown,
}
