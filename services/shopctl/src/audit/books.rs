//! The books as the audit reads them: per product what is there, per order what every database says about it.

use uuid::Uuid;

/// A stock row with the sums it has to agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockRow {
    /// The product.
    pub sku: String,
    /// Pieces at the beginning.
    pub initial: i64,
    /// Pieces there.
    pub on_hand: i64,
    /// Pieces held.
    pub reserved: i64,
    /// Σ of the stock adjustments.
    pub adjusted: i64,
    /// Σ of the lines of HELD reservations.
    pub held: i64,
    /// Σ of the lines of COMMITTED reservations.
    pub committed: i64,
}

/// Everything that all databases know about one order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OrderCase {
    /// The order's id.
    pub order_id: i64,
    /// From `ordersdb`.
    pub order: Option<OrderRow>,
    /// From `inventorydb`; more than one is a fault.
    pub reservations: Vec<ReservationRow>,
    /// From `paymentsdb`.
    pub payment: Option<PaymentRow>,
    /// From `providerdb`.
    pub charges: Vec<ChargeRow>,
}

/// An order with its saga.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OrderRow {
    /// Grows by one with each transition.
    pub version: i64,
    /// What the customer sees.
    pub status: String,
    /// What the operator sees.
    pub saga_state: String,
    /// The step, as stored.
    pub details: String,
    /// What it costs, once priced.
    pub total_cents: Option<i64>,
    /// In which currency.
    pub currency: Option<String>,
    /// Seconds since somebody should have looked after it; negative while there is time, `None` at rest.
    pub overdue_secs: Option<f64>,
    /// Seconds since it was accepted.
    pub age_secs: f64,
    /// Rows in the timeline.
    pub timeline_rows: i64,
    /// The newest version in the timeline.
    pub timeline_version: i64,
    /// Which operator settled it by hand, and why: its money rests on that word.
    pub settled_by_hand: Option<String>,
}

impl OrderRow {
    /// Whether its saga has nothing left to do, or waits for an operator.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        ["COMPLETED", "COMPENSATED", "STUCK"].contains(&self.saga_state.as_str())
    }

    /// Whether it waits for an operator.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.saga_state == "STUCK"
    }
}

/// A reservation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReservationRow {
    /// HELD, REFUSED, COMMITTED or RELEASED.
    pub state: String,
    /// What its lines cost.
    pub total_cents: Option<i64>,
    /// In which currency.
    pub currency: Option<String>,
    /// How many releases say that they released it.
    pub releases: i64,
}

/// A payment with its attempts and refunds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentRow {
    /// Its id, also the provider's idempotency key.
    pub payment_id: Uuid,
    /// Grows by one with each write.
    pub version: i64,
    /// REQUESTED, UNKNOWN, CAPTURED, DECLINED or VOIDED.
    pub state: String,
    /// NONE, REQUESTED, OPEN, REFUNDED or STUCK.
    pub refund_state: String,
    /// Captured after it had been closed without money.
    pub late_capture: bool,
    /// Why it was declined, or why the refund was refused.
    pub reason: Option<String>,
    /// What is paid.
    pub amount_cents: i64,
    /// In which currency.
    pub currency: String,
    /// Whether the sweep still looks at it.
    pub is_swept: bool,
    /// Attempts that captured.
    pub captures: i64,
    /// Refunds that were given back: id and amount.
    pub refunded: Vec<(Uuid, i64)>,
}

impl PaymentRow {
    /// Whether our books say that the provider took the money.
    #[must_use]
    pub fn is_captured(&self) -> bool {
        self.state == "CAPTURED" || self.late_capture
    }

    /// Money taken and not given back, by our books.
    #[must_use]
    pub fn net_cents(&self) -> i64 {
        let taken = if self.is_captured() {
            self.amount_cents
        } else {
            0
        };
        taken - self.refunded_cents()
    }

    /// Money given back, by our books.
    #[must_use]
    pub fn refunded_cents(&self) -> i64 {
        self.refunded.iter().map(|(_, cents)| cents).sum()
    }

    /// Whether payments still works on giving the money back.
    #[must_use]
    pub fn is_refunding(&self) -> bool {
        ["REQUESTED", "OPEN"].contains(&self.refund_state.as_str())
    }

    /// Whether the charge's outcome is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        ["REQUESTED", "UNKNOWN"].contains(&self.state.as_str())
    }
}

/// A charge in the provider's ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChargeRow {
    /// The idempotency key: the payment's id.
    pub key: Uuid,
    /// CAPTURED or DECLINED.
    pub outcome: String,
    /// How much.
    pub amount_cents: i64,
    /// In which currency.
    pub currency: String,
    /// What the provider gave back of it: key and amount.
    pub refunded: Vec<(Uuid, i64)>,
}

impl ChargeRow {
    /// Whether the provider took the money.
    #[must_use]
    pub fn is_captured(&self) -> bool {
        self.outcome == "CAPTURED"
    }
}

impl OrderCase {
    /// Changes whenever any database changes what it says about the order: a violation counts only when this stays.
    #[must_use]
    pub fn versions(&self) -> String {
        let order = self.order.as_ref().map_or(0, |order| order.version);
        let payment = self.payment.as_ref().map_or(0, |payment| payment.version);
        let reservations: Vec<&str> = self
            .reservations
            .iter()
            .map(|reservation| reservation.state.as_str())
            .collect();
        let ledger: usize = self
            .charges
            .iter()
            .map(|charge| 1 + charge.refunded.len())
            .sum();
        format!(
            "order {order}, payment {payment}, reservation {}, ledger {ledger}",
            reservations.join("+")
        )
    }

    /// The order's status, or "" when there is no order.
    #[must_use]
    pub fn status(&self) -> &str {
        self.order
            .as_ref()
            .map_or("", |order| order.status.as_str())
    }

    /// Whether an operator ended it by hand.
    #[must_use]
    pub fn is_settled_by_hand(&self) -> bool {
        self.order
            .as_ref()
            .is_some_and(|order| order.settled_by_hand.is_some())
    }

    /// Whether any reservation is in this state.
    #[must_use]
    pub fn has_reservation(&self, state: &str) -> bool {
        self.reservations
            .iter()
            .any(|reservation| reservation.state == state)
    }
}
