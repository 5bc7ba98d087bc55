//! Items of requests as commands, payments and refusals as results.

use payment::ledger::ApplyError;
use payment::{
    Cents, DeskError, OrderId, Payment, PaymentId, PaymentMethod, PaymentRequest, PaymentState,
    RefundState, Refusal,
};
use shopapi_proto::common::v1::ItemError;
use shopapi_proto::payments::v1 as wire;
use tonic::Code;
use uuid::Uuid;

use crate::events;

/// An item that cannot become a command.
pub(super) struct BadItem(&'static str);

pub(super) fn parse_id(id: &str) -> Result<PaymentId, BadItem> {
    Uuid::try_parse(id)
        .map(PaymentId)
        .map_err(|_| BadItem("payment_id must be a UUID"))
}

pub(super) fn parameters(item: wire::PaymentParameters) -> Result<PaymentRequest, BadItem> {
    Ok(PaymentRequest {
        payment_id: parse_id(&item.payment_id)?,
        order_id: OrderId(item.order_id),
        amount: Cents(item.amount_cents),
        currency: item.currency,
        payment_method: PaymentMethod::new(item.payment_method),
        traceparent: events::trace_to_keep(Some(item.traceparent)),
    })
}

pub(super) fn failed(payment_id: String, BadItem(message): BadItem) -> wire::PaymentResult {
    error(payment_id, Code::InvalidArgument, message.to_owned())
}

fn error(payment_id: String, code: Code, message: String) -> wire::PaymentResult {
    wire::PaymentResult {
        payment_id,
        outcome: Some(wire::payment_result::Outcome::Error(ItemError {
            code: code as i32,
            message,
        })),
    }
}

pub(super) fn result(
    payment_id: String,
    answer: Result<Payment, DeskError>,
) -> wire::PaymentResult {
    match answer {
        Ok(payment) => wire::PaymentResult {
            payment_id,
            outcome: Some(wire::payment_result::Outcome::Payment(to_wire(&payment))),
        },
        Err(failure) => {
            let code = match &failure {
                DeskError::Invalid(_) => Code::InvalidArgument,
                DeskError::Refused(Refusal::NoSuchPayment) => Code::NotFound,
                DeskError::Refused(
                    Refusal::ParametersDiffer | Refusal::OrderTaken | Refusal::NotCaptured,
                ) => Code::FailedPrecondition,
                // Only operators expect a version.
                DeskError::Refused(Refusal::Moved { .. }) => Code::Aborted,
                DeskError::Apply(ApplyError::Unavailable | ApplyError::Overloaded) => {
                    Code::Unavailable
                }
                DeskError::Apply(ApplyError::Poisoned) => Code::Internal,
            };
            error(payment_id, code, failure.to_string())
        }
    }
}

/// The code of one item's result.
pub(super) fn code_of(result: &wire::PaymentResult) -> Code {
    match &result.outcome {
        Some(wire::payment_result::Outcome::Error(error)) => Code::from(error.code),
        Some(wire::payment_result::Outcome::Payment(_)) => Code::Ok,
        None => Code::Unknown,
    }
}

/// No answer, or none that a correct service gives. A refusal is an answer.
pub(super) fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn to_wire(payment: &Payment) -> wire::Payment {
    let state = match payment.state {
        PaymentState::Requested => wire::PaymentState::Requested,
        PaymentState::Unknown => wire::PaymentState::Unknown,
        PaymentState::Captured => wire::PaymentState::Captured,
        PaymentState::Declined => wire::PaymentState::Declined,
        PaymentState::Voided => wire::PaymentState::Voided,
    };
    let refund_state = match payment.refund {
        RefundState::None => wire::RefundState::Unspecified,
        RefundState::Requested | RefundState::Open => wire::RefundState::Requested,
        RefundState::Refunded => wire::RefundState::Refunded,
        RefundState::Stuck => wire::RefundState::Refused,
    };
    wire::Payment {
        payment_id: payment.id().to_string(),
        order_id: payment.request.order_id.0,
        state: state.into(),
        refund_state: refund_state.into(),
        reason: payment.reason.clone().unwrap_or_default(),
        version: payment.version,
    }
}
