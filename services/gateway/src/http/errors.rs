//! From every layer's errors to [`Problem`]s. The only file of the gateway that looks into a `tonic::Status`.
//!
//! | what came back | what goes out |
//! |---|---|
//! | `FAILED_PRECONDITION` + `OrderRefused` | 409 `out-of-stock`, 422 `unknown-sku`, `mixed-currency`, `total-out-of-range` |
//! | `FAILED_PRECONDITION` + `Conflict` | 409 `already-paid`, `not-cancellable`, `not-refundable`; 422 `idempotency-key-reused` |
//! | `NOT_FOUND` | 404 of the thing that was asked for |
//! | `INVALID_ARGUMENT`, `OUT_OF_RANGE` | 400 |
//! | `RESOURCE_EXHAUSTED`, a full mailbox | 503 `overloaded` + Retry-After |
//! | `UNAVAILABLE`, `DEADLINE_EXCEEDED`, `CANCELLED`, `ABORTED`, a client that restarts | 503 `unavailable` + Retry-After |
//! | `UNAUTHENTICATED`, `PERMISSION_DENIED` | 503: between services that is our own fault, never the user's |
//! | anything else | 500 |
//!
//! The text of a status is logged and never sent.

use std::time::Duration;

use actor_kit::AskError;
use prost::Message as _;
use prost_types::Any;
use shopapi_auth::{AccountError, TokenError};
use shopapi_proto::common::v1::{Refusal, Shortage, refusal};
use shopapi_proto::orders::v1::{Conflict, OrderRefused, conflict};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::{debug, error, warn};

use super::model::{OrderStatus, ShortLine};
use super::problem::{FieldError, Kind, Problem};

/// When to come back, unless the callee says otherwise: about a restart of what is missing.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const TYPE_ORDER_REFUSED: &str = "shopapi.orders.v1.OrderRefused";
const TYPE_CONFLICT: &str = "shopapi.orders.v1.Conflict";

/// What a call was about, for the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A new order.
    NewOrder,
    /// An existing order.
    Order,
    /// The catalogue.
    Product,
}

/// The one table from gRPC to HTTP.
pub(crate) fn from_status(subject: Subject, status: &Status) -> Problem {
    let code = status.code();
    let text = status.message();
    match code {
        Code::FailedPrecondition => refused(subject, status),
        Code::NotFound => {
            debug!(?subject, "not found");
            not_found(subject)
        }
        Code::InvalidArgument | Code::OutOfRange => {
            warn!(
                ?subject,
                text, "a request that was let through was refused inside"
            );
            Problem::new(
                Kind::InvalidRequest,
                "A value of the request is not allowed; the API description names the limits.",
            )
        }
        Code::ResourceExhausted => {
            warn!(?subject, text, "overloaded");
            overloaded(retry_hint(status))
        }
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => {
            warn!(?subject, ?code, text, "callee not available");
            unavailable(subject, retry_hint(status))
        }
        Code::Unauthenticated | Code::PermissionDenied => {
            error!(
                ?subject,
                ?code,
                text,
                "a service does not accept the gateway"
            );
            unavailable(subject, RETRY_AFTER)
        }
        Code::Ok
        | Code::Unknown
        | Code::AlreadyExists
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => {
            error!(?subject, ?code, text, "callee failed");
            internal()
        }
    }
}

/// The client's actor did not answer.
pub(crate) fn from_ask(subject: Subject, ask: AskError) -> Problem {
    warn!(?subject, %ask, "client not available");
    match ask {
        AskError::Full => overloaded(RETRY_AFTER),
        AskError::Gone | AskError::Timeout => unavailable(subject, RETRY_AFTER),
    }
}

/// The callee answered something that its contract does not allow.
pub(crate) fn broken_contract(what: &str) -> Problem {
    error!(what, "a service's answer breaks its contract");
    internal()
}

pub(crate) fn from_account(error: &AccountError) -> Problem {
    match error {
        AccountError::Invalid { email, password } => {
            let email = email.map(|wrong| ("/email", wrong.to_string()));
            let password = password.map(|wrong| ("/password", wrong.to_string()));
            let errors: Vec<FieldError> = email
                .into_iter()
                .chain(password)
                .map(|(pointer, detail)| FieldError {
                    pointer: pointer.to_owned(),
                    detail,
                })
                .collect();
            Problem::invalid(&errors)
        }
        AccountError::EmailTaken => Problem::new(
            Kind::EmailTaken,
            "Somebody has registered with this e-mail. Log in, or register with another one.",
        ),
        AccountError::Refused => Problem::new(
            Kind::InvalidCredentials,
            "Check the e-mail and the password, then log in again.",
        ),
        AccountError::TokenRefused => Problem::new(
            Kind::InvalidRefreshToken,
            "The refresh token is unknown, expired or was used before. Log in again.",
        ),
        AccountError::TooManyAttempts { retry_after } => Problem::new(
            Kind::TooManyAttempts,
            "Too many attempts have failed, or were made at once. Try again after the time in Retry-After.",
        )
        .retry_after(*retry_after),
        AccountError::Busy => Problem::new(
            Kind::Overloaded,
            "Too many people log in at the moment. Try again after the time in Retry-After.",
        )
        .retry_after(RETRY_AFTER),
        AccountError::Unavailable(text) => {
            warn!(text, "accounts not available");
            Problem::new(
                Kind::Unavailable,
                "Accounts are not available at the moment. Try again after the time in Retry-After.",
            )
            .retry_after(RETRY_AFTER)
        }
    }
}

pub(crate) fn from_token(token: TokenError) -> Problem {
    debug!(%token, "token refused");
    let detail = match token {
        TokenError::Expired => "The access token has expired. Log in again to get another.",
        _ => {
            "The access token is not valid. Log in to get one and send it as `Authorization: Bearer <token>`."
        }
    };
    Problem::new(Kind::Unauthenticated, detail)
}

pub(crate) fn internal() -> Problem {
    Problem::new(
        Kind::Internal,
        "The request met a mistake of ours. Repeating it with the same Idempotency-Key is safe.",
    )
}

fn overloaded(after: Duration) -> Problem {
    Problem::new(
        Kind::Overloaded,
        "Nothing was done. Repeat the request after the time in Retry-After.",
    )
    .retry_after(after)
}

fn unavailable(subject: Subject, after: Duration) -> Problem {
    let detail = match subject {
        Subject::NewOrder => {
            "It is not known whether the order was taken. Repeat the request with the same \
             Idempotency-Key after the time in Retry-After; without a key, look at your orders first."
        }
        Subject::Order => "Repeat the request after the time in Retry-After; that is safe.",
        Subject::Product => {
            "The catalogue does not answer. Repeat the request after the time in Retry-After."
        }
    };
    Problem::new(Kind::Unavailable, detail).retry_after(after)
}

pub(crate) fn not_found(subject: Subject) -> Problem {
    match subject {
        Subject::NewOrder | Subject::Order => Problem::new(
            Kind::OrderNotFound,
            "You have no order with this id. GET /api/v1/orders lists your orders.",
        ),
        Subject::Product => Problem::new(
            Kind::ProductNotFound,
            "No product has this SKU. GET /api/v1/products lists the products.",
        ),
    }
}

fn retry_hint(status: &Status) -> Duration {
    status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay)
        .unwrap_or(RETRY_AFTER)
}

/// The order that a refusal is about: it exists, as REJECTED.
pub(crate) fn refused_order(status: &Status) -> Option<i64> {
    if status.code() != Code::FailedPrecondition {
        return None;
    }
    let refused = details(status).into_iter().find_map(|detail| {
        let name = detail.type_url.rsplit('/').next();
        let is_refusal = name == Some(TYPE_ORDER_REFUSED);
        is_refusal.then(|| OrderRefused::decode(detail.value.as_slice()).ok())?
    });
    refused.map(|refused| refused.order_id)
}

fn details(status: &Status) -> Vec<Any> {
    tonic_types::pb::Status::decode(status.details())
        .unwrap_or_default()
        .details
}

/// A refusal says why in a typed detail.
fn refused(subject: Subject, status: &Status) -> Problem {
    for detail in details(status) {
        let name = detail.type_url.rsplit('/').next().unwrap_or_default();
        match name {
            TYPE_ORDER_REFUSED => {
                if let Ok(refused) = OrderRefused::decode(detail.value.as_slice()) {
                    return order_refused(&refused);
                }
            }
            TYPE_CONFLICT => {
                if let Ok(conflict) = Conflict::decode(detail.value.as_slice()) {
                    return from_conflict(conflict);
                }
            }
            _ => {}
        }
    }
    error!(
        ?subject,
        text = status.message(),
        "a refusal without its typed detail"
    );
    internal()
}

fn order_refused(refused: &OrderRefused) -> Problem {
    let none = Refusal::default();
    let refusal = refused.refusal.as_ref().unwrap_or(&none);
    let (kind, detail) = match refusal.reason() {
        refusal::Reason::OutOfStock => (
            Kind::OutOfStock,
            "Order no more than `available` of each line in `lines`, or try again later.",
        ),
        refusal::Reason::UnknownSku => (
            Kind::UnknownSku,
            "Remove the lines in `lines`: GET /api/v1/products lists the SKUs that exist.",
        ),
        refusal::Reason::MixedCurrency => {
            (Kind::MixedCurrency, "Place one order for each currency.")
        }
        refusal::Reason::TotalOutOfRange => (
            Kind::TotalOutOfRange,
            "Order other quantities: the total must be above zero and payable.",
        ),
        refusal::Reason::InvalidLines => (
            Kind::OrderRefused,
            "Stock does not accept these lines. Check SKUs and quantities.",
        ),
        refusal::Reason::Unspecified => (
            Kind::OrderRefused,
            "Stock refused the order. Its timeline says more.",
        ),
    };
    let lines: Vec<ShortLine> = refusal.shortages.iter().map(short_line).collect();
    let problem = Problem::new(kind, detail).with("order_id", &refused.order_id);
    if lines.is_empty() {
        problem
    } else {
        problem.with("lines", &lines)
    }
}

fn short_line(shortage: &Shortage) -> ShortLine {
    ShortLine {
        sku: shortage.sku.clone(),
        requested: shortage.requested,
        available: shortage.available,
    }
}

fn from_conflict(found: Conflict) -> Problem {
    let (kind, detail) = match found.reason() {
        conflict::Reason::AlreadyPaid => (
            Kind::AlreadyPaid,
            "A paid order is not cancelled. POST …/refund gives the money back.",
        ),
        conflict::Reason::NotCancellable => (
            Kind::NotCancellable,
            "Only an order that is PENDING or AWAITING_PAYMENT can be cancelled.",
        ),
        conflict::Reason::NotRefundable => (
            Kind::NotRefundable,
            "Only an order that is PAID can be refunded.",
        ),
        conflict::Reason::IdempotencyKeyReused => (
            Kind::IdempotencyKeyReused,
            "This Idempotency-Key was used for a request with another body. Use a new key for a new order.",
        ),
        conflict::Reason::Unspecified => return internal(),
    };
    let problem = Problem::new(kind, detail);
    match OrderStatus::from_proto(found.status) {
        Some(status) => problem.with("order_status", &status),
        None => problem,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    /// A refusal as orders sends it.
    pub(crate) fn failed_precondition(type_name: &str, value: Vec<u8>) -> Status {
        let code = Code::FailedPrecondition;
        let details = tonic_types::pb::Status {
            code: code as i32,
            message: "internal words".to_owned(),
            details: vec![Any {
                type_url: format!("type.googleapis.com/{type_name}"),
                value,
            }],
        };
        Status::with_details(code, "internal words", details.encode_to_vec().into())
    }

    fn refusal_of(reason: refusal::Reason) -> Status {
        let refused = OrderRefused {
            order_id: 7,
            refusal: Some(Refusal {
                reason: reason as i32,
                shortages: Vec::new(),
            }),
        };
        failed_precondition(TYPE_ORDER_REFUSED, refused.encode_to_vec())
    }

    fn conflict_of(reason: conflict::Reason) -> Status {
        let conflict = Conflict {
            reason: reason as i32,
            status: 3,
        };
        failed_precondition(TYPE_CONFLICT, conflict.encode_to_vec())
    }

    #[test]
    fn every_code_has_its_problem() {
        let table = [
            (Code::Ok, Kind::Internal),
            (Code::Cancelled, Kind::Unavailable),
            (Code::Unknown, Kind::Internal),
            (Code::InvalidArgument, Kind::InvalidRequest),
            (Code::DeadlineExceeded, Kind::Unavailable),
            (Code::NotFound, Kind::OrderNotFound),
            (Code::AlreadyExists, Kind::Internal),
            (Code::PermissionDenied, Kind::Unavailable),
            (Code::ResourceExhausted, Kind::Overloaded),
            (Code::FailedPrecondition, Kind::Internal),
            (Code::Aborted, Kind::Unavailable),
            (Code::OutOfRange, Kind::InvalidRequest),
            (Code::Unimplemented, Kind::Internal),
            (Code::Internal, Kind::Internal),
            (Code::Unavailable, Kind::Unavailable),
            (Code::DataLoss, Kind::Internal),
            (Code::Unauthenticated, Kind::Unavailable),
        ];
        for (code, expected) in table {
            let problem = from_status(Subject::Order, &Status::new(code, "internal words"));
            assert_eq!(problem.kind, expected, "{code:?}");
            assert!(
                !format!("{problem:?}").contains("internal words"),
                "{code:?}"
            );
        }
    }

    #[test]
    fn every_refusal_has_its_type() {
        use refusal::Reason;
        let table = [
            (Reason::OutOfStock, Kind::OutOfStock),
            (Reason::UnknownSku, Kind::UnknownSku),
            (Reason::MixedCurrency, Kind::MixedCurrency),
            (Reason::TotalOutOfRange, Kind::TotalOutOfRange),
            (Reason::InvalidLines, Kind::OrderRefused),
            (Reason::Unspecified, Kind::OrderRefused),
        ];
        for (reason, expected) in table {
            let problem = from_status(Subject::NewOrder, &refusal_of(reason));
            assert_eq!(problem.kind, expected, "{reason:?}");
        }
    }

    #[test]
    fn only_a_refusal_names_an_order() {
        let refusal = refusal_of(refusal::Reason::OutOfStock);
        assert_eq!(refused_order(&refusal), Some(7));
        let conflict = conflict_of(conflict::Reason::IdempotencyKeyReused);
        assert_eq!(refused_order(&conflict), None);
        assert_eq!(refused_order(&Status::unavailable("")), None);
    }

    #[test]
    fn every_conflict_has_its_type() {
        use conflict::Reason;
        let table = [
            (Reason::AlreadyPaid, Kind::AlreadyPaid),
            (Reason::NotCancellable, Kind::NotCancellable),
            (Reason::NotRefundable, Kind::NotRefundable),
            (Reason::IdempotencyKeyReused, Kind::IdempotencyKeyReused),
            (Reason::Unspecified, Kind::Internal),
        ];
        for (reason, expected) in table {
            let problem = from_status(Subject::Order, &conflict_of(reason));
            assert_eq!(problem.kind, expected, "{reason:?}");
        }
    }

    #[test]
    fn the_callees_retry_hint_is_passed_on() {
        let hint = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        let status = Status::with_error_details(Code::ResourceExhausted, "full", hint);
        let problem = from_status(Subject::NewOrder, &status);
        assert_eq!(problem, overloaded(Duration::from_secs(7)));
    }

    #[test]
    fn a_detail_that_does_not_parse_is_our_own_mistake() {
        let status = failed_precondition(TYPE_ORDER_REFUSED, vec![0xff]);
        assert_eq!(from_status(Subject::NewOrder, &status).kind, Kind::Internal);
        let status = Status::with_details(Code::FailedPrecondition, "", vec![0xff].into());
        assert_eq!(from_status(Subject::NewOrder, &status).kind, Kind::Internal);
    }
}
