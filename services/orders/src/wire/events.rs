//! Events: those of orders as they go out, those of payments as they come in.

use order_saga::saga::OrderEvent;
use order_saga::{Cents, Installation, OrderId, PaymentId, Saga, SagaEvent, SagaIds};
use prost::Message as _;
use shopapi_proto::common::v1::PricedLine;
use shopapi_proto::events::v1 as proto;
use shopapi_proto::subjects;

use super::payments::reason;

/// Subject and payload of an event of `saga`.
pub(crate) fn encode(saga: &Saga, event: &OrderEvent) -> (&'static str, Vec<u8>) {
    let order_id = saga.order.order_id.0;
    let customer_id = saga.order.customer_id.to_string();
    match event {
        OrderEvent::Created { payment_id, quote } => {
            let created = proto::OrderCreated {
                order_id,
                customer_id,
                payment_id: payment_id.to_string(),
                amount_cents: quote.total.0,
                currency: quote.currency.to_string(),
                payment_method: saga.order.payment_method.expose().to_owned(),
                lines: quote
                    .lines
                    .iter()
                    .map(|line| PricedLine {
                        sku: line.sku.0.to_string(),
                        quantity: line.quantity,
                        unit_price_cents: line.unit_price.0,
                    })
                    .collect(),
            };
            (subjects::ORDERS_CREATED, created.encode_to_vec())
        }
        OrderEvent::Paid {
            payment_id,
            total,
            currency,
        } => {
            let paid = proto::OrderPaid {
                order_id,
                customer_id,
                payment_id: payment_id.to_string(),
                amount_cents: total.0,
                currency: currency.to_string(),
            };
            (subjects::ORDERS_PAID, paid.encode_to_vec())
        }
        OrderEvent::Rejected { refusal } => {
            let rejected = proto::OrderRejected {
                order_id,
                customer_id,
                refusal: Some(super::refusal(refusal)),
            };
            (subjects::ORDERS_REJECTED, rejected.encode_to_vec())
        }
        OrderEvent::Cancelled { reason } => {
            let cancelled = proto::OrderCancelled {
                order_id,
                customer_id,
                reason: reason.as_str().to_owned(),
            };
            (subjects::ORDERS_CANCELLED, cancelled.encode_to_vec())
        }
        OrderEvent::Refunded {
            payment_id,
            total,
            currency,
        } => {
            let refunded = proto::OrderRefunded {
                order_id,
                customer_id,
                payment_id: payment_id.to_string(),
                amount_cents: total.0,
                currency: currency.to_string(),
            };
            (subjects::ORDERS_REFUNDED, refunded.encode_to_vec())
        }
    }
}

/// An event of payments that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PaymentFact {
    /// Whose.
    pub(crate) order_id: OrderId,
    /// What happened.
    pub(crate) event: SagaEvent,
    /// The money it is about, where it names it: must be what the order was quoted.
    pub(crate) money: Option<(Cents, String)>,
}

/// What a delivered event is to orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A fact for one saga.
    Fact(PaymentFact),
    /// A subject that orders does not follow.
    OfNoInterest,
    /// It can never be handled; why.
    Poison(String),
}

/// Reads an event of the stream PAYMENTS. Its ids must belong together.
pub(crate) fn decode(subject: &str, payload: &[u8], installation: Installation) -> Decoded {
    let fact = match subject {
        subjects::PAYMENTS_SUCCEEDED => succeeded(payload, installation),
        subjects::PAYMENTS_FAILED => failed(payload, installation),
        subjects::PAYMENTS_REFUNDED => refunded(payload, installation),
        subjects::PAYMENTS_REFUND_FAILED => refund_failed(payload, installation),
        _ => return Decoded::OfNoInterest,
    };
    fact.map_or_else(Decoded::Poison, Decoded::Fact)
}

fn message<M: prost::Message + Default>(payload: &[u8]) -> Result<M, String> {
    M::decode(payload).map_err(|error| format!("the payload does not decode: {error}"))
}

/// The ids of an event, when the payment is the one that this installation derives for the order.
fn ids(
    order_id: i64,
    payment_id: &str,
    installation: Installation,
) -> Result<(OrderId, PaymentId), String> {
    if order_id <= 0 {
        return Err("order_id is not positive".to_owned());
    }
    let order_id = OrderId(order_id);
    let ours = SagaIds::derive(installation, order_id).payment_id;
    if payment_id.parse() == Ok(ours.0) {
        Ok((order_id, ours))
    } else {
        Err(format!("payment_id is not that of order {order_id}"))
    }
}

fn succeeded(payload: &[u8], installation: Installation) -> Result<PaymentFact, String> {
    let proto::PaymentSucceeded {
        payment_id,
        order_id,
        amount_cents,
        currency,
    } = message(payload)?;
    let (order_id, payment_id) = ids(order_id, &payment_id, installation)?;
    Ok(PaymentFact {
        order_id,
        event: SagaEvent::PaymentSucceeded { payment_id },
        money: Some((Cents(amount_cents), currency)),
    })
}

fn failed(payload: &[u8], installation: Installation) -> Result<PaymentFact, String> {
    let event: proto::PaymentFailed = message(payload)?;
    let (order_id, payment_id) = ids(event.order_id, &event.payment_id, installation)?;
    Ok(PaymentFact {
        order_id,
        event: SagaEvent::PaymentFailed {
            payment_id,
            reason: reason(&event.reason),
        },
        money: None,
    })
}

fn refunded(payload: &[u8], installation: Installation) -> Result<PaymentFact, String> {
    let event: proto::PaymentRefunded = message(payload)?;
    let (order_id, payment_id) = ids(event.order_id, &event.payment_id, installation)?;
    Ok(PaymentFact {
        order_id,
        event: SagaEvent::PaymentRefunded {
            payment_id,
            late_capture: event.late_capture,
        },
        money: Some((Cents(event.amount_cents), event.currency)),
    })
}

fn refund_failed(payload: &[u8], installation: Installation) -> Result<PaymentFact, String> {
    let event: proto::PaymentRefundFailed = message(payload)?;
    let (order_id, payment_id) = ids(event.order_id, &event.payment_id, installation)?;
    Ok(PaymentFact {
        order_id,
        event: SagaEvent::RefundFailed {
            payment_id,
            reason: reason(&event.reason),
            late_capture: event.late_capture,
        },
        money: None,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HERE: Installation = Installation(Uuid::from_u128(1));

    fn payment_succeeded(payment_id: String) -> Vec<u8> {
        proto::PaymentSucceeded {
            payment_id,
            order_id: 7,
            amount_cents: 1_990,
            currency: "EUR".to_owned(),
        }
        .encode_to_vec()
    }

    #[test]
    fn a_fact_names_its_order_payment_and_money() {
        let payment_id = SagaIds::derive(HERE, OrderId(7)).payment_id;
        let payload = payment_succeeded(payment_id.to_string());
        let decoded = decode(subjects::PAYMENTS_SUCCEEDED, &payload, HERE);
        let expected = PaymentFact {
            order_id: OrderId(7),
            event: SagaEvent::PaymentSucceeded { payment_id },
            money: Some((Cents(1_990), "EUR".to_owned())),
        };
        assert_eq!(decoded, Decoded::Fact(expected));
    }

    #[test]
    fn a_payment_of_another_order_or_installation_is_poison() {
        let elsewhere = Installation(Uuid::from_u128(2));
        for wrong in [
            SagaIds::derive(HERE, OrderId(8)).payment_id.to_string(),
            SagaIds::derive(elsewhere, OrderId(7))
                .payment_id
                .to_string(),
            "not a uuid".to_owned(),
        ] {
            let decoded = decode(
                subjects::PAYMENTS_SUCCEEDED,
                &payment_succeeded(wrong),
                HERE,
            );
            assert!(matches!(decoded, Decoded::Poison(_)), "{decoded:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_poison_and_other_subjects_are_left_alone() {
        let decoded = decode(subjects::PAYMENTS_FAILED, &[0xff, 0xff], HERE);
        assert!(matches!(decoded, Decoded::Poison(_)), "{decoded:?}");
        assert_eq!(
            decode("payments.later_than_this_program", &[], HERE),
            Decoded::OfNoInterest
        );
    }
}
