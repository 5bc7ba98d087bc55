//! Payment commands and their answers.

use order_saga::saga::{RefundAnswer, RequestAnswer, VoidAnswer};
use order_saga::{CallError, PaymentId, PaymentParameters};
use shopapi_proto::payments::v1 as proto;
use shopapi_proto::payments::v1::payment_result::Outcome;
use shopapi_proto::payments::v1::{PaymentState, RefundState};
use tracing::error;

use crate::grpc::status::{self, ItemRefusal};

/// Longest reason that is taken over; reasons are short codes.
const REASON_BYTES_MAX: usize = 64;

pub(crate) fn parameters(
    parameters: &PaymentParameters,
    traceparent: String,
) -> proto::PaymentParameters {
    let PaymentParameters { order, quote } = parameters;
    proto::PaymentParameters {
        payment_id: order.ids.payment_id.to_string(),
        order_id: order.order_id.0,
        amount_cents: quote.total.0,
        currency: quote.currency.as_str().to_owned(),
        payment_method: order.payment_method.expose().to_owned(),
        traceparent,
    }
}

/// What payments knows about one payment.
enum Answered {
    Known(proto::Payment),
    NotKnown,
    /// Not in this state, or known with other parameters.
    Conflict,
}

fn answered(
    method: &'static str,
    payment_id: PaymentId,
    result: proto::PaymentResult,
) -> Result<Answered, CallError> {
    if result.payment_id.parse() != Ok(payment_id.0) {
        return Err(misunderstood(method, payment_id));
    }
    match result.outcome {
        Some(Outcome::Payment(payment)) => Ok(Answered::Known(payment)),
        Some(Outcome::Error(item)) => match status::item_refusal(&item) {
            ItemRefusal::NotFound => Ok(Answered::NotKnown),
            ItemRefusal::Conflict => Ok(Answered::Conflict),
            ItemRefusal::Other(error) => Err(error),
        },
        None => Err(misunderstood(method, payment_id)),
    }
}

fn misunderstood(method: &'static str, payment_id: PaymentId) -> CallError {
    error!(method, %payment_id, "payments' answer cannot be understood");
    CallError::Unavailable
}

pub(crate) fn request_answer(
    payment_id: PaymentId,
    result: proto::PaymentResult,
) -> Result<RequestAnswer, CallError> {
    match answered("RequestPayment", payment_id, result)? {
        Answered::Known(payment) => state(payment_id, &payment),
        Answered::Conflict => Ok(RequestAnswer::Mismatch),
        Answered::NotKnown => Err(CallError::Refused),
    }
}

pub(crate) fn get_answer(
    payment_id: PaymentId,
    result: proto::PaymentResult,
) -> Result<Option<RequestAnswer>, CallError> {
    match answered("GetPayment", payment_id, result)? {
        Answered::Known(payment) => state(payment_id, &payment).map(Some),
        Answered::NotKnown => Ok(None),
        Answered::Conflict => Err(misunderstood("GetPayment", payment_id)),
    }
}

fn state(payment_id: PaymentId, payment: &proto::Payment) -> Result<RequestAnswer, CallError> {
    match payment.state() {
        PaymentState::Requested => Ok(RequestAnswer::Requested),
        PaymentState::Captured => Ok(RequestAnswer::Captured),
        PaymentState::Declined => Ok(RequestAnswer::Declined(reason(&payment.reason))),
        PaymentState::Voided => Ok(RequestAnswer::Voided),
        PaymentState::Unknown => Ok(RequestAnswer::Unknown),
        PaymentState::Unspecified => Err(misunderstood("RequestPayment", payment_id)),
    }
}

pub(crate) fn void_answer(
    payment_id: PaymentId,
    result: proto::PaymentResult,
) -> Result<VoidAnswer, CallError> {
    match answered("VoidPayment", payment_id, result)? {
        Answered::Known(payment) => match payment.state() {
            PaymentState::Voided => Ok(VoidAnswer::Voided),
            PaymentState::Declined => Ok(VoidAnswer::Declined(reason(&payment.reason))),
            PaymentState::Captured => Ok(VoidAnswer::Captured),
            PaymentState::Unknown => Ok(VoidAnswer::Unknown),
            PaymentState::Requested | PaymentState::Unspecified => {
                Err(misunderstood("VoidPayment", payment_id))
            }
        },
        Answered::Conflict => Ok(VoidAnswer::Mismatch),
        Answered::NotKnown => Err(CallError::Refused),
    }
}

pub(crate) fn refund_answer(
    payment_id: PaymentId,
    result: proto::PaymentResult,
) -> Result<RefundAnswer, CallError> {
    match answered("RefundPayment", payment_id, result)? {
        Answered::Known(payment) => match payment.refund_state() {
            RefundState::Requested => Ok(RefundAnswer::Pending),
            RefundState::Refunded => Ok(RefundAnswer::Refunded),
            RefundState::Refused => Ok(RefundAnswer::Refused(reason(&payment.reason))),
            RefundState::Unspecified if payment.state() != PaymentState::Captured => {
                Ok(RefundAnswer::NotCaptured)
            }
            RefundState::Unspecified => Err(misunderstood("RefundPayment", payment_id)),
        },
        Answered::NotKnown | Answered::Conflict => Ok(RefundAnswer::NotCaptured),
    }
}

/// A reason as it may stand in a timeline and a row: short, printable.
pub(super) fn reason(text: &str) -> String {
    let code: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(REASON_BYTES_MAX)
        .collect();
    if code.is_empty() {
        "unknown".to_owned()
    } else {
        code
    }
}

#[cfg(test)]
mod tests {
    use shopapi_proto::common::v1::ItemError;
    use uuid::Uuid;

    use super::*;

    const ID: PaymentId = PaymentId(Uuid::from_u128(9));

    fn known(state: PaymentState, refund: RefundState) -> proto::PaymentResult {
        proto::PaymentResult {
            payment_id: ID.to_string(),
            outcome: Some(Outcome::Payment(proto::Payment {
                payment_id: ID.to_string(),
                order_id: 1,
                state: state.into(),
                refund_state: refund.into(),
                reason: "insufficient_funds".to_owned(),
                version: 1,
            })),
        }
    }

    fn failed(code: i32) -> proto::PaymentResult {
        proto::PaymentResult {
            payment_id: ID.to_string(),
            outcome: Some(Outcome::Error(ItemError {
                code,
                message: String::new(),
            })),
        }
    }

    #[test]
    fn every_state_of_a_payment_has_its_answer() {
        let table = [
            (PaymentState::Requested, RequestAnswer::Requested),
            (PaymentState::Captured, RequestAnswer::Captured),
            (
                PaymentState::Declined,
                RequestAnswer::Declined("insufficient_funds".to_owned()),
            ),
            (PaymentState::Voided, RequestAnswer::Voided),
            (PaymentState::Unknown, RequestAnswer::Unknown),
        ];
        for (state, answer) in table {
            let result = known(state, RefundState::Unspecified);
            assert_eq!(request_answer(ID, result), Ok(answer), "{state:?}");
        }
    }

    #[test]
    fn other_parameters_under_the_same_id_are_a_mismatch() {
        assert_eq!(request_answer(ID, failed(9)), Ok(RequestAnswer::Mismatch));
        assert_eq!(void_answer(ID, failed(9)), Ok(VoidAnswer::Mismatch));
    }

    #[test]
    fn a_void_that_only_answers_requested_is_not_believed() {
        let result = known(PaymentState::Requested, RefundState::Unspecified);
        assert_eq!(void_answer(ID, result), Err(CallError::Unavailable));
    }

    #[test]
    fn parameters_that_payments_does_not_take_are_a_refusal() {
        assert_eq!(void_answer(ID, failed(3)), Err(CallError::Refused));
        assert_eq!(void_answer(ID, failed(16)), Err(CallError::Unavailable));
    }

    #[test]
    fn a_refund_without_a_capture_is_told_apart_from_an_outage() {
        let voided = known(PaymentState::Voided, RefundState::Unspecified);
        assert_eq!(refund_answer(ID, voided), Ok(RefundAnswer::NotCaptured));
        assert_eq!(refund_answer(ID, failed(14)), Err(CallError::Unavailable));
        let refused = known(PaymentState::Captured, RefundState::Refused);
        assert_eq!(
            refund_answer(ID, refused),
            Ok(RefundAnswer::Refused("insufficient_funds".to_owned()))
        );
    }

    #[test]
    fn an_unknown_payment_is_nothing_to_a_look() {
        assert_eq!(get_answer(ID, failed(5)), Ok(None));
    }

    #[test]
    fn reasons_are_short_and_printable() {
        assert_eq!(reason("bad\0 card\n"), "badcard");
        assert_eq!(reason(""), "unknown");
        assert_eq!(reason(&"x".repeat(1000)).len(), REASON_BYTES_MAX);
    }
}
