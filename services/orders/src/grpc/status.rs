//! The one file that knows gRPC's codes, those given and those received. Texts are for the calling service; the reasons behind them are
//! in the log.

use std::time::Duration;

use order_saga::{CallError, LinesInvalid, OrderId, OrderStatus, Refusal, StoreUnavailable};
use prost::Message as _;
use prost_types::Any;
use shopapi_proto::common::v1::ItemError;
use shopapi_proto::orders::v1::conflict::Reason;
use shopapi_proto::orders::v1::{Conflict, OrderRefused};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::operators::AdminError;
use crate::wire;

/// A status with one typed detail, in the form that `google.rpc.Status` gives it.
fn detailed(code: Code, message: &str, name: &str, detail: &impl prost::Message) -> Status {
    let status = tonic_types::pb::Status {
        code: code.into(),
        message: message.to_owned(),
        details: vec![Any {
            type_url: format!("type.googleapis.com/shopapi.orders.v1.{name}"),
            value: detail.encode_to_vec(),
        }],
    };
    Status::with_details(code, message, status.encode_to_vec().into())
}

/// The order exists, as REJECTED.
pub(crate) fn refused(order_id: OrderId, refusal: &Refusal) -> Status {
    let detail = OrderRefused {
        order_id: order_id.0,
        refusal: Some(wire::refusal(refusal)),
    };
    detailed(
        Code::FailedPrecondition,
        "the stock refused the order",
        "OrderRefused",
        &detail,
    )
}

/// The call does not fit the order's state, or the key's first use.
pub(crate) fn conflict(reason: Reason, status: Option<OrderStatus>) -> Status {
    let status = status.map_or(
        shopapi_proto::orders::v1::OrderStatus::Unspecified,
        wire::orders::status,
    );
    let detail = Conflict {
        reason: reason.into(),
        status: status.into(),
    };
    let message = match reason {
        Reason::AlreadyPaid => "the order is paid",
        Reason::NotCancellable => "the order cannot be cancelled",
        Reason::NotRefundable => "the order cannot be refunded",
        Reason::IdempotencyKeyReused => "the key was used for another request",
        Reason::Unspecified => "the call does not fit the order's state",
    };
    detailed(Code::FailedPrecondition, message, "Conflict", &detail)
}

/// A request that cannot be; the text says what to do.
pub(crate) fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}

impl From<InvalidLines> for Status {
    fn from(InvalidLines(lines): InvalidLines) -> Self {
        invalid(lines.to_string())
    }
}

/// Lines that are not an order.
pub(crate) struct InvalidLines(pub(crate) LinesInvalid);

/// No such order, or another customer's.
pub(crate) fn no_order() -> Status {
    Status::not_found("no such order")
}

/// Too much is under way; nothing was accepted.
pub(crate) fn turned_away(retry_after: Duration) -> Status {
    Status::with_error_details(
        Code::ResourceExhausted,
        "too many orders are under way; try again later",
        ErrorDetails::with_retry_info(Some(retry_after)),
    )
}

/// The database, or whoever decides, did not answer.
pub(crate) fn unavailable() -> Status {
    Status::unavailable("orders are not available; try again")
}

/// A mistake of ours, logged where it was found.
pub(crate) fn internal() -> Status {
    Status::internal("orders cannot handle this")
}

/// A read that found no database.
pub(crate) fn unread(_: StoreUnavailable) -> Status {
    unavailable()
}

/// What kept an operator's call from being done; the texts are made for operators.
pub(crate) fn admin(error: &AdminError) -> Status {
    let code = match error {
        AdminError::NotFound(_) => Code::NotFound,
        AdminError::Moved { .. } => Code::Aborted,
        AdminError::DoesNotFit(_) => Code::FailedPrecondition,
        AdminError::Unavailable(_) => Code::Unavailable,
    };
    Status::new(code, error.to_string())
}

/// What a failed item of an answered call means to a saga. A call that failed whole says nothing about any of its items: a certificate that
/// has run out must not set every order aside. Nor does a mistake of the callee's own.
pub(crate) fn item_error(item: &ItemError) -> CallError {
    match Code::from(item.code) {
        Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => {
            CallError::Refused
        }
        Code::Ok
        | Code::PermissionDenied
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Unavailable => CallError::Unavailable,
    }
}

/// A failed item where some refusals are answers.
pub(crate) enum ItemRefusal {
    /// What was asked about is not known there.
    NotFound,
    /// It is in another state, or known with other parameters.
    Conflict,
    /// No answer.
    Other(CallError),
}

pub(crate) fn item_refusal(item: &ItemError) -> ItemRefusal {
    match Code::from(item.code) {
        Code::NotFound => ItemRefusal::NotFound,
        Code::FailedPrecondition | Code::AlreadyExists => ItemRefusal::Conflict,
        _ => ItemRefusal::Other(item_error(item)),
    }
}

#[cfg(test)]
mod tests {
    use order_saga::RefusalReason;
    use shopapi_proto::common::v1::refusal::Reason as Refused;

    use super::*;

    #[test]
    fn a_refusal_carries_the_order_and_why() {
        let refusal = Refusal {
            reason: RefusalReason::OutOfStock,
            shortages: vec![],
        };
        let status = refused(OrderId(7), &refusal);
        assert_eq!(status.code(), Code::FailedPrecondition);
        let details = tonic_types::pb::Status::decode(status.details()).unwrap();
        let detail = OrderRefused::decode(details.details[0].value.as_slice()).unwrap();
        assert_eq!(detail.order_id, 7);
        assert_eq!(detail.refusal.unwrap().reason(), Refused::OutOfStock);
        assert_eq!(
            details.details[0].type_url,
            "type.googleapis.com/shopapi.orders.v1.OrderRefused"
        );
    }

    #[test]
    fn who_is_turned_away_learns_when_to_come_back() {
        let status = turned_away(Duration::from_secs(2));
        assert_eq!(status.code(), Code::ResourceExhausted);
        let delay = status.get_details_retry_info().unwrap().retry_delay;
        assert_eq!(delay, Some(Duration::from_secs(2)));
    }

    #[test]
    fn only_what_an_item_says_is_held_against_its_order() {
        let means = |code: Code| {
            item_error(&ItemError {
                code: code.into(),
                message: String::new(),
            })
        };
        for code in [
            Code::InvalidArgument,
            Code::NotFound,
            Code::AlreadyExists,
            Code::FailedPrecondition,
        ] {
            assert_eq!(means(code), CallError::Refused, "{code:?}");
        }
        for code in [
            Code::Unauthenticated,
            Code::PermissionDenied,
            Code::Unimplemented,
            Code::Internal,
            Code::Unavailable,
        ] {
            assert_eq!(means(code), CallError::Unavailable, "{code:?}");
        }
    }
}
