//! What a payment is: its frozen parameters and the row's state.

use std::fmt;

use uuid::Uuid;

/// Longest payment method accepted, in bytes: a provider's token, never card data.
pub const PAYMENT_METHOD_BYTES_MAX: usize = 128;

/// A payment's id: the aggregate's key and the provider's idempotency key for the charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId(pub Uuid);

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The order that a payment is for; at most one payment per order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(pub i64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An amount of money in the smallest unit of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cents(pub i64);

/// The provider's token for how to pay. It is never printed: `Debug` hides it and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PaymentMethod(String);

impl PaymentMethod {
    /// Wraps a token.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token, for the provider and the books only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentMethod(hidden)")
    }
}

/// What to pay and how: frozen with the first command that names the payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order it pays for.
    pub order_id: OrderId,
    /// How much; more than zero.
    pub amount: Cents,
    /// ISO 4217 code.
    pub currency: String,
    /// How.
    pub payment_method: PaymentMethod,
    /// W3C trace context of the order, so that sweeps continue its trace. Not a parameter: repeats may carry another.
    pub traceparent: Option<String>,
}

/// Why a request cannot be taken at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// Order ids start at one.
    #[error("order_id must be positive")]
    OrderId,
    /// Nothing to pay.
    #[error("amount_cents must be positive")]
    Amount,
    /// Not an ISO 4217 code.
    #[error("currency must be three capital letters")]
    Currency,
    /// Empty, too long or not printable.
    #[error("payment_method must be 1 to 128 printable ASCII characters")]
    PaymentMethod,
}

impl PaymentRequest {
    /// Checks what every door (the RPC, the consumer) has to check before the request becomes an event.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), InvalidRequest> {
        if self.order_id.0 <= 0 {
            return Err(InvalidRequest::OrderId);
        }
        if self.amount.0 <= 0 {
            return Err(InvalidRequest::Amount);
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(InvalidRequest::Currency);
        }
        let method = self.payment_method.expose();
        let printable = method.bytes().all(|b| b.is_ascii_graphic());
        if method.is_empty() || method.len() > PAYMENT_METHOD_BYTES_MAX || !printable {
            return Err(InvalidRequest::PaymentMethod);
        }
        Ok(())
    }

    /// Whether both name the same thing to pay, whatever trace they came with.
    #[must_use]
    pub fn same_parameters(&self, other: &Self) -> bool {
        self.payment_id == other.payment_id
            && self.order_id == other.order_id
            && self.amount == other.amount
            && self.currency == other.currency
            && self.payment_method == other.payment_method
    }
}

/// The row's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// To be charged; no attempt is open.
    Requested,
    /// An attempt was recorded and its outcome is open.
    Unknown,
    /// Charged; for ever.
    Captured,
    /// Refused by the provider; for ever.
    Declined,
    /// Given up before any capture was known; for ever.
    Voided,
}

impl PaymentState {
    /// Every state, for exhaustive tests.
    pub const ALL: [Self; 5] = [
        Self::Requested,
        Self::Unknown,
        Self::Captured,
        Self::Declined,
        Self::Voided,
    ];

    /// The name kept in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Unknown => "UNKNOWN",
            Self::Captured => "CAPTURED",
            Self::Declined => "DECLINED",
            Self::Voided => "VOIDED",
        }
    }

    /// Reads the books' name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// How far giving the money back has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Nobody asked for one.
    None,
    /// To be refunded; no call is open.
    Requested,
    /// A call was recorded and its outcome is open. Repeating it is safe: same `refund_id`.
    Open,
    /// Given back; for ever.
    Refunded,
    /// Refused for good (refund_refused): the money is owed and an operator must act.
    Stuck,
}

impl RefundState {
    /// Every state, for exhaustive tests.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Requested,
        Self::Open,
        Self::Refunded,
        Self::Stuck,
    ];

    /// The name kept in the books.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Requested => "REQUESTED",
            Self::Open => "OPEN",
            Self::Refunded => "REFUNDED",
            Self::Stuck => "STUCK",
        }
    }

    /// Reads the books' name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// One payment as the books hold it: everything a decision needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The frozen parameters.
    pub request: PaymentRequest,
    /// The state.
    pub state: PaymentState,
    /// Short code: why it was declined, or why the refund was refused.
    pub reason: Option<String>,
    /// A void arrived while an attempt was open: no new attempt starts.
    pub void_requested: bool,
    /// Grows by one with each write; the `aggregate_seq` of the payment's events.
    pub version: i64,
    /// Number of the last charge attempt; 0 before the first.
    pub attempt: i32,
    /// Attempts left in this round; a new request on a spent payment starts a new round.
    pub attempts_left: i32,
    /// Look-ups made since the payment was voided.
    pub look_ups: i32,
    /// The capture was learnt after the payment was closed without money; it is refunded here, and orders never counts on it.
    pub late_capture: bool,
    /// The refund's state.
    pub refund: RefundState,
    /// Number of the present refund attempt; 0 before the first. Grows only after a recorded refusal.
    pub refund_attempt: i32,
    /// Calls made for the present refund attempt.
    pub refund_tries: i32,
}

impl Payment {
    /// The payment's id.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        self.request.payment_id
    }

    /// Id of a refund attempt: made only here, the provider's idempotency key.
    #[must_use]
    pub fn refund_id(&self, attempt: i32) -> Uuid {
        Uuid::new_v5(&self.id().0, &attempt.to_be_bytes())
    }

    /// Whether the provider took the money, whether or not orders counts on it.
    #[must_use]
    pub fn money_was_taken(&self) -> bool {
        self.state == PaymentState::Captured || self.late_capture
    }
}
