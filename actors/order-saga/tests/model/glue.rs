//! The words between the cores, as the services' wire formats translate them: an order's commands for stock and payments, and their
//! answers as events of the saga. No rule lives here.

use std::sync::Arc;

use actor_kit::TraceContext;
use order_saga::model::{PricedLine, RefusalReason, Shortage};
use order_saga::saga::{
    CommitAnswer, RefundAnswer, ReleaseAnswer, RequestAnswer, ReserveAnswer, SagaEvent, VoidAnswer,
};
use order_saga::{
    Cents, Currency, CustomerId, Installation, Line, Order, OrderId, PaymentMethod, Quote, Refusal,
    Sku,
};
use payment::{Payment, PaymentEvent, PaymentRequest, PaymentState, RefundState};
use stock::{Answer, Command};
use uuid::Uuid;

/// The one product that every order wants one piece of.
const SKU: &str = "LAMP";
const PRICE: i64 = 1_990;
const CURRENCY: &str = "EUR";
const METHOD: &str = "tok_model";

/// The order with this number.
pub(crate) fn order(number: usize) -> Arc<Order> {
    let order_id = OrderId(i64::try_from(number).unwrap() + 1);
    let lines: Arc<[Line]> = Arc::from([Line {
        sku: Sku::new(SKU),
        quantity: 1,
    }]);
    let order = Order::new(
        Installation(Uuid::from_u128(7)),
        order_id,
        CustomerId(Uuid::from_u128(1)),
        lines,
        PaymentMethod::new(METHOD),
        TraceContext::default(),
    );
    Arc::new(order.unwrap())
}

/// What its stock costs.
pub(crate) fn quote() -> Quote {
    Quote {
        total: Cents(PRICE),
        currency: CURRENCY.parse::<Currency>().unwrap(),
        lines: vec![PricedLine {
            sku: Sku::new(SKU),
            quantity: 1,
            unit_price: Cents(PRICE),
        }],
    }
}

/// What a refused order is told: there is never a fraction of one piece.
pub(crate) fn refusal() -> Refusal {
    Refusal {
        reason: RefusalReason::OutOfStock,
        shortages: vec![Shortage {
            sku: Sku::new(SKU),
            requested: 1,
            available: 0,
        }],
    }
}

/// Books with this many pieces.
pub(crate) fn books(on_hand: i64) -> stock::Books {
    let row = stock::StockRow {
        on_hand,
        reserved: 0,
        unit_price: stock::Cents(PRICE),
        currency: stock::Currency::new(CURRENCY).unwrap(),
    };
    stock::Books::with_stock([(sku(), row)])
}

/// The product, in the words of stock.
pub(crate) fn sku() -> stock::Sku {
    stock::Sku::new(SKU).unwrap()
}

/// Reserve, in the words of stock.
pub(crate) fn reserve(order: &Order) -> Command {
    let line = |line: &Line| stock::RequestedLine {
        sku: line.sku.to_string(),
        quantity: line.quantity,
    };
    Command::Reserve {
        reservation_id: reservation_id(order),
        order_id: stock::OrderId(order.order_id.0),
        lines: order.lines.iter().map(line).collect(),
    }
}

/// Release, in the words of stock.
pub(crate) fn release(order: &Order) -> Command {
    Command::Release {
        reservation_id: reservation_id(order),
        release_id: stock::ReleaseId(order.ids.release_id.0),
        order_id: stock::OrderId(order.order_id.0),
    }
}

/// Commit, in the words of stock.
pub(crate) fn commit(order: &Order) -> Command {
    Command::Commit {
        reservation_id: reservation_id(order),
        order_id: stock::OrderId(order.order_id.0),
    }
}

/// The reservation, in the words of stock.
pub(crate) fn reservation_id(order: &Order) -> stock::ReservationId {
    stock::ReservationId(order.ids.reservation_id.0)
}

/// What stock answered, in the words of the saga. `None`: an error, which the saga sees as no answer.
pub(crate) fn from_stock(answer: &Answer) -> Option<SagaEvent> {
    use stock::ReservationState as State;
    match answer {
        Answer::Reserve(answer) => {
            let answer = match answer {
                stock::ReserveAnswer::Held { hold, .. } => ReserveAnswer::Held(quote_of(hold)),
                stock::ReserveAnswer::Refused { refusal, .. } => {
                    ReserveAnswer::Refused(refusal_of(refusal))
                }
                stock::ReserveAnswer::Ended(State::Released) => ReserveAnswer::Released,
                stock::ReserveAnswer::Ended(State::Committed) => ReserveAnswer::Committed,
                stock::ReserveAnswer::Ended(State::Held | State::Refused)
                | stock::ReserveAnswer::Conflict => return None,
            };
            Some(SagaEvent::ReserveAnswered(answer))
        }
        Answer::Release(answer) => {
            let answer = match answer {
                stock::ReleaseAnswer::Released(_) | stock::ReleaseAnswer::NothingHeld => {
                    ReleaseAnswer::Released
                }
                stock::ReleaseAnswer::Sold => ReleaseAnswer::Committed,
                stock::ReleaseAnswer::Conflict | stock::ReleaseAnswer::BooksBroken(_) => {
                    return None;
                }
            };
            Some(SagaEvent::ReleaseAnswered(answer))
        }
        Answer::Commit(answer) => {
            let answer = match answer {
                stock::CommitAnswer::Committed { .. } => CommitAnswer::Committed,
                stock::CommitAnswer::NotHeld(State::Released) => CommitAnswer::Released,
                stock::CommitAnswer::NotHeld(State::Refused) => CommitAnswer::Refused,
                stock::CommitAnswer::NotHeld(State::Held | State::Committed)
                | stock::CommitAnswer::Missing
                | stock::CommitAnswer::Conflict
                | stock::CommitAnswer::BooksBroken(_) => return None,
            };
            Some(SagaEvent::CommitAnswered(answer))
        }
    }
}

fn quote_of(hold: &stock::Hold) -> Quote {
    let line = |line: &stock::PricedLine| PricedLine {
        sku: Sku::new(line.sku.as_str()),
        quantity: line.quantity,
        unit_price: Cents(line.unit_price.0),
    };
    Quote {
        total: Cents(hold.total.0),
        currency: hold.currency.as_str().parse().unwrap(),
        lines: hold.lines.iter().map(line).collect(),
    }
}

fn refusal_of(refusal: &stock::Refusal) -> Refusal {
    let (reason, short) = match refusal {
        stock::Refusal::InvalidLines => (RefusalReason::InvalidLines, &[][..]),
        stock::Refusal::UnknownSku(short) => (RefusalReason::UnknownSku, &short[..]),
        stock::Refusal::MixedCurrency => (RefusalReason::MixedCurrency, &[][..]),
        stock::Refusal::TotalOutOfRange => (RefusalReason::TotalOutOfRange, &[][..]),
        stock::Refusal::OutOfStock(short) => (RefusalReason::OutOfStock, &short[..]),
    };
    let shortage = |short: &stock::Shortage| Shortage {
        sku: Sku::new(short.sku.as_str()),
        requested: short.requested,
        available: short.available,
    };
    Refusal {
        reason,
        shortages: short.iter().map(shortage).collect(),
    }
}

/// The parameters that `orders.created`, RequestPayment and VoidPayment carry.
pub(crate) fn payment_request(order: &Order) -> PaymentRequest {
    let quote = quote();
    let request = PaymentRequest {
        payment_id: payment::PaymentId(order.ids.payment_id.0),
        order_id: payment::OrderId(order.order_id.0),
        amount: payment::Cents(quote.total.0),
        currency: quote.currency.as_str().to_owned(),
        payment_method: payment::PaymentMethod::new(order.payment_method.expose().to_owned()),
        traceparent: None,
    };
    request.validate().unwrap();
    request
}

/// The answer to RequestPayment; `None` for a refused command (other parameters).
pub(crate) fn request_answer(row: Option<&Payment>) -> SagaEvent {
    SagaEvent::RequestAnswered(match row {
        None => RequestAnswer::Mismatch,
        Some(row) => match row.state {
            PaymentState::Requested => RequestAnswer::Requested,
            PaymentState::Unknown => RequestAnswer::Unknown,
            PaymentState::Captured => RequestAnswer::Captured,
            PaymentState::Declined => RequestAnswer::Declined(reason(row)),
            PaymentState::Voided => RequestAnswer::Voided,
        },
    })
}

/// The answer to VoidPayment. REQUESTED is no answer to a void.
pub(crate) fn void_answer(row: Option<&Payment>) -> Option<SagaEvent> {
    Some(SagaEvent::VoidAnswered(match row {
        None => VoidAnswer::Mismatch,
        Some(row) => match row.state {
            PaymentState::Requested => return None,
            PaymentState::Unknown => VoidAnswer::Unknown,
            PaymentState::Captured => VoidAnswer::Captured,
            PaymentState::Declined => VoidAnswer::Declined(reason(row)),
            PaymentState::Voided => VoidAnswer::Voided,
        },
    }))
}

/// The answer to RefundPayment; `None` for a refused command (not known, not captured).
pub(crate) fn refund_answer(row: Option<&Payment>) -> Option<SagaEvent> {
    Some(SagaEvent::RefundAnswered(match row {
        None => RefundAnswer::NotCaptured,
        Some(row) => match row.refund {
            RefundState::Requested | RefundState::Open => RefundAnswer::Pending,
            RefundState::Refunded => RefundAnswer::Refunded,
            RefundState::Stuck => RefundAnswer::Refused(reason(row)),
            RefundState::None if row.state != PaymentState::Captured => RefundAnswer::NotCaptured,
            RefundState::None => return None,
        },
    }))
}

fn reason(row: &Payment) -> String {
    row.reason.clone().unwrap_or_default()
}

/// An event of the stream PAYMENTS, in the words of the saga.
pub(crate) fn from_payments(order: &Order, event: &PaymentEvent) -> SagaEvent {
    let payment_id = order.ids.payment_id;
    match event {
        PaymentEvent::Succeeded => SagaEvent::PaymentSucceeded { payment_id },
        PaymentEvent::Failed { reason } => SagaEvent::PaymentFailed {
            payment_id,
            reason: reason.clone(),
        },
        PaymentEvent::Refunded { late_capture, .. } => SagaEvent::PaymentRefunded {
            payment_id,
            late_capture: *late_capture,
        },
        PaymentEvent::RefundFailed {
            reason,
            late_capture,
            ..
        } => SagaEvent::RefundFailed {
            payment_id,
            reason: reason.clone(),
            late_capture: *late_capture,
        },
    }
}
