//! The journeys: how stock, provider and customer behave, and how the order must end.

use order_saga::CancelReason;
use order_saga::saga::SagaEvent;

/// How an order ends. [`crate::check`] says what the books must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Rejected,
    Cancelled(CancelReason),
    /// The goods are with the customer.
    RefundedSold,
    /// The goods are back in stock.
    RefundedReleased,
    /// The refund was refused for good: the money is owed, and people decide.
    RefundStuck,
}

/// When somebody acts. Each happens once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The step of this name was committed; what follows from it has not run.
    Entered(&'static str),
    /// The provider is being called.
    ChargeOpen,
    /// Payments has written the capture; orders does not know.
    Charged,
}

/// What the customer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Cancel,
    Refund,
}

impl Wish {
    pub(crate) const fn event(self) -> SagaEvent {
        match self {
            Self::Cancel => SagaEvent::CancelRequested,
            Self::Refund => SagaEvent::RefundRequested,
        }
    }
}

/// How the stock behaves besides its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StockIs {
    Well,
    /// Reserve never arrives.
    DeafToReserve,
    /// Reserve is executed, its answer never arrives.
    SilentOnReserve,
    /// The first calls of Release never arrive.
    DeafToReleases(u32),
}

/// How the provider behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charges {
    Captured,
    Declined,
    /// It answers that it did nothing.
    NotNow,
    /// Captured, but neither the call nor a look-up says so before a void is asked for.
    SilentUntilVoided,
    /// Captured, but no look-up finds it before the payment is voided and looked up once.
    FoundAfterVoided,
}

/// One order.
pub(crate) struct Journey {
    pub(crate) name: &'static str,
    pub(crate) on_hand: i64,
    pub(crate) stock: StockIs,
    pub(crate) charges: Charges,
    pub(crate) refuses_refunds: bool,
    pub(crate) act: Option<(Moment, Wish)>,
    pub(crate) end: End,
    /// Other ends that a fault may lead to, and why that is right.
    pub(crate) or: &'static [(End, &'static str)],
}

const PLAIN: Journey = Journey {
    name: "paid",
    on_hand: 3,
    stock: StockIs::Well,
    charges: Charges::Captured,
    refuses_refunds: false,
    act: None,
    end: End::Completed,
    or: &[],
};

const BY_CUSTOMER: End = End::Cancelled(CancelReason::UserRequested);

pub(crate) const JOURNEYS: &[Journey] = &[
    PLAIN,
    Journey {
        name: "declined",
        charges: Charges::Declined,
        end: End::Cancelled(CancelReason::PaymentDeclined),
        ..PLAIN
    },
    Journey {
        name: "refused",
        on_hand: 0,
        end: End::Rejected,
        ..PLAIN
    },
    Journey {
        name: "cancelled while pending",
        act: Some((Moment::Entered("reserving"), Wish::Cancel)),
        end: BY_CUSTOMER,
        ..PLAIN
    },
    Journey {
        name: "cancelled while awaiting payment",
        act: Some((Moment::Entered("awaiting_payment"), Wish::Cancel)),
        end: BY_CUSTOMER,
        or: &[(
            End::RefundedReleased,
            "the void was lost and the charge came first",
        )],
        ..PLAIN
    },
    Journey {
        name: "charge beats the cancel",
        act: Some((Moment::Charged, Wish::Cancel)),
        end: End::RefundedReleased,
        ..PLAIN
    },
    Journey {
        name: "cancelled while the charge is open",
        charges: Charges::SilentUntilVoided,
        act: Some((Moment::ChargeOpen, Wish::Cancel)),
        end: End::RefundedReleased,
        ..PLAIN
    },
    Journey {
        name: "charge found after the void",
        charges: Charges::FoundAfterVoided,
        act: Some((Moment::ChargeOpen, Wish::Cancel)),
        end: BY_CUSTOMER,
        ..PLAIN
    },
    Journey {
        name: "payment times out",
        charges: Charges::NotNow,
        end: End::Cancelled(CancelReason::PaymentTimeout),
        ..PLAIN
    },
    Journey {
        name: "charge found after the time-out",
        charges: Charges::SilentUntilVoided,
        ..PLAIN
    },
    Journey {
        name: "cancelled after the time-out",
        charges: Charges::SilentUntilVoided,
        act: Some((Moment::Entered("voiding"), Wish::Cancel)),
        end: End::RefundedReleased,
        ..PLAIN
    },
    Journey {
        name: "refund before the sale is confirmed",
        act: Some((Moment::Entered("committing"), Wish::Refund)),
        end: End::RefundedSold,
        ..PLAIN
    },
    Journey {
        name: "refund of a sale",
        act: Some((Moment::Entered("completed"), Wish::Refund)),
        end: End::RefundedSold,
        ..PLAIN
    },
    Journey {
        name: "refund refused for good",
        refuses_refunds: true,
        act: Some((Moment::Entered("completed"), Wish::Refund)),
        end: End::RefundStuck,
        ..PLAIN
    },
    Journey {
        name: "stock unreachable",
        stock: StockIs::DeafToReserve,
        end: End::Cancelled(CancelReason::InventoryUnavailable),
        ..PLAIN
    },
    Journey {
        name: "stock holds and is silent",
        stock: StockIs::SilentOnReserve,
        end: End::Cancelled(CancelReason::InventoryUnavailable),
        ..PLAIN
    },
    Journey {
        name: "release unreachable",
        stock: StockIs::DeafToReleases(6),
        charges: Charges::Declined,
        end: End::Cancelled(CancelReason::PaymentDeclined),
        ..PLAIN
    },
];
