//! Events on the wire: `orders.created` becomes a request, what payments decided becomes an outbox row.

use actor_kit::TraceContext;
use outbox::OutboxEvent;
use payment::ledger::Recorded;
use payment::{Cents, OrderId, PaymentEvent, PaymentId, PaymentMethod, PaymentRequest};
use prost::Message as _;
use shopapi_proto::events::v1;
use shopapi_proto::subjects;
use uuid::Uuid;

/// Why an `orders.created` can never be handled.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadEvent {
    #[error("the payload is not an OrderCreated")]
    Undecodable,
    #[error("payment_id is not a UUID")]
    PaymentId,
}

/// The request in an `orders.created`.
pub(crate) fn request(payload: &[u8]) -> Result<PaymentRequest, BadEvent> {
    let order = v1::OrderCreated::decode(payload).map_err(|_| BadEvent::Undecodable)?;
    Ok(PaymentRequest {
        payment_id: PaymentId(Uuid::try_parse(&order.payment_id).map_err(|_| BadEvent::PaymentId)?),
        order_id: OrderId(order.order_id),
        amount: Cents(order.amount_cents),
        currency: order.currency,
        payment_method: PaymentMethod::new(order.payment_method),
        traceparent: None,
    })
}

/// The outbox row of a change, when orders has to be told.
pub(crate) fn outbox_event(recorded: &Recorded) -> Option<OutboxEvent> {
    let payment = &recorded.change.payment;
    let (subject, payload) = encode(recorded.change.event.as_ref()?, &payment.request);
    let traceparent = recorded.trace.traceparent();
    Some(OutboxEvent {
        event_id: recorded.event_id,
        order_id: payment.request.order_id.0,
        aggregate_seq: payment.version,
        subject: subject.to_owned(),
        schema_version: subjects::SCHEMA_VERSION,
        payload,
        traceparent: traceparent.or_else(|| payment.request.traceparent.clone()),
    })
}

fn encode(event: &PaymentEvent, request: &PaymentRequest) -> (&'static str, Vec<u8>) {
    let payment_id = request.payment_id.to_string();
    let order_id = request.order_id.0;
    let amount_cents = request.amount.0;
    match event {
        PaymentEvent::Succeeded => (
            subjects::PAYMENTS_SUCCEEDED,
            v1::PaymentSucceeded {
                payment_id,
                order_id,
                amount_cents,
                currency: request.currency.clone(),
            }
            .encode_to_vec(),
        ),
        PaymentEvent::Failed { reason } => (
            subjects::PAYMENTS_FAILED,
            v1::PaymentFailed {
                payment_id,
                order_id,
                reason: reason.clone(),
            }
            .encode_to_vec(),
        ),
        PaymentEvent::Refunded {
            refund_id,
            late_capture,
        } => (
            subjects::PAYMENTS_REFUNDED,
            v1::PaymentRefunded {
                payment_id,
                order_id,
                refund_id: refund_id.to_string(),
                amount_cents,
                currency: request.currency.clone(),
                late_capture: *late_capture,
            }
            .encode_to_vec(),
        ),
        PaymentEvent::RefundFailed {
            refund_id,
            reason,
            late_capture,
        } => (
            subjects::PAYMENTS_REFUND_FAILED,
            v1::PaymentRefundFailed {
                payment_id,
                order_id,
                refund_id: refund_id.to_string(),
                reason: reason.clone(),
                late_capture: *late_capture,
            }
            .encode_to_vec(),
        ),
    }
}

/// The trace to keep with a payment: the span in hand, or what came with the command.
pub(crate) fn trace_to_keep(came_with: Option<String>) -> Option<String> {
    TraceContext::current()
        .traceparent()
        .or_else(|| came_with.filter(|value| TraceContext::from_traceparent(value).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created() -> v1::OrderCreated {
        v1::OrderCreated {
            order_id: 42,
            customer_id: "c".to_owned(),
            payment_id: Uuid::from_u128(7).to_string(),
            amount_cents: 1_999,
            currency: "EUR".to_owned(),
            payment_method: "tok_ok".to_owned(),
            lines: Vec::new(),
        }
    }

    #[test]
    fn an_order_becomes_a_request() {
        let request = request(&created().encode_to_vec()).unwrap();
        assert_eq!(request.payment_id, PaymentId(Uuid::from_u128(7)));
        assert_eq!(request.order_id, OrderId(42));
        assert_eq!(request.amount, Cents(1_999));
        assert_eq!(request.currency, "EUR");
        assert_eq!(request.payment_method.expose(), "tok_ok");
    }

    #[test]
    fn what_cannot_be_an_order_is_named() {
        assert_eq!(request(b"\xff\xff"), Err(BadEvent::Undecodable));
        let bad = v1::OrderCreated {
            payment_id: "seven".to_owned(),
            ..created()
        };
        assert_eq!(request(&bad.encode_to_vec()), Err(BadEvent::PaymentId));
    }

    #[test]
    fn a_malformed_traceparent_is_not_kept() {
        assert_eq!(trace_to_keep(Some("nonsense".to_owned())), None);
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        assert_eq!(trace_to_keep(Some(good.clone())), Some(good));
    }
}
