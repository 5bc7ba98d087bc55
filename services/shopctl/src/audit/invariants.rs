//! What must hold, each as a pure function over one stock row or one order.
//!
//! A premise that does not apply is [`Finding::NotApplicable`], so that the count beside an invariant says how many
//! rows were really held against it.

use super::books::{OrderCase, StockRow};
use super::checks;

/// What an invariant says about one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The row is none of its business.
    NotApplicable,
    /// It holds.
    Holds,
    /// It does not; in a sentence with the figures.
    Violated(String),
}

/// A named invariant over rows of one kind.
#[derive(Clone, Copy)]
pub struct Invariant<Row> {
    /// Its name, as tests and operators use it.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Looks at one row.
    pub check: fn(&Row) -> Finding,
}

/// Over each stock row.
pub const STOCK: [Invariant<StockRow>; 2] = [
    Invariant {
        name: "stock-on-hand",
        about: "on_hand = initial + adjustments − sold",
        check: checks::stock_on_hand,
    },
    Invariant {
        name: "stock-reserved",
        about: "reserved = what is held",
        check: checks::stock_reserved,
    },
];

/// Over each order.
pub const ORDERS: [Invariant<OrderCase>; 12] = [
    Invariant {
        name: "known-order",
        about: "a reservation, payment or charge belongs to an accepted order",
        check: checks::known_order,
    },
    Invariant {
        name: "one-reservation",
        about: "an order has at most one reservation",
        check: checks::one_reservation,
    },
    Invariant {
        name: "one-capture",
        about: "an order is captured at most once",
        check: checks::one_capture,
    },
    Invariant {
        name: "same-price",
        about: "order, reservation and payment agree on the total",
        check: checks::same_price,
    },
    Invariant {
        name: "paid-and-completed",
        about: "PAID and completed: captured, sold, not refunded",
        check: checks::paid_and_completed,
    },
    Invariant {
        name: "captured-and-sold",
        about: "captured and sold: PAID, REFUND_PENDING or REFUNDED",
        check: checks::captured_and_sold,
    },
    Invariant {
        name: "refunded",
        about: "REFUNDED: all the money went back and nothing is held",
        check: checks::refunded,
    },
    Invariant {
        name: "ended-without-trace",
        about: "CANCELLED or REJECTED: no goods and no net money",
        check: checks::ended_without_trace,
    },
    Invariant {
        name: "released-once",
        about: "a released reservation has exactly one release",
        check: checks::released_once,
    },
    Invariant {
        name: "timeline-complete",
        about: "the timeline has every version of the order",
        check: checks::timeline_complete,
    },
    Invariant {
        name: "orders-end",
        about: "no open order is overdue by more than 60 s",
        check: checks::orders_end,
    },
    Invariant {
        name: "provider-ledger",
        about: "the provider's ledger says the same about charges and refunds",
        check: checks::provider_ledger,
    },
];
