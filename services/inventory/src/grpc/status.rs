//! The one file that knows gRPC's codes. Texts are for the calling service; the reasons behind them are in the log.

use actor_kit::AskError;
use actor_kit::batch::WriteError;
use shopapi_proto::common::v1::ItemError;
use tonic::{Code, Status};

use crate::catalogue::Unavailable;

/// One item's error.
fn item(code: Code, message: &str) -> ItemError {
    ItemError {
        code: code.into(),
        message: message.to_owned(),
    }
}

/// The item itself cannot be.
pub(super) fn invalid_item(message: &str) -> ItemError {
    item(Code::InvalidArgument, message)
}

/// The reservation belongs to something else.
pub(super) fn conflict() -> ItemError {
    item(
        Code::AlreadyExists,
        "the reservation exists for another order or for other lines",
    )
}

/// There is no such reservation.
pub(super) fn missing() -> ItemError {
    item(Code::NotFound, "no such reservation")
}

/// The books do not add up.
pub(super) fn broken() -> ItemError {
    item(Code::Internal, "the stock does not cover the reservation")
}

/// The answer was of another kind than the question: a bug.
pub(super) fn mixed_up() -> ItemError {
    item(Code::Internal, "the answer does not fit the command")
}

/// The keeper did not decide.
pub(super) fn undecided(error: WriteError) -> ItemError {
    match error {
        WriteError::Unavailable | WriteError::Ask(AskError::Gone) => {
            item(Code::Unavailable, "stock is not available; try again")
        }
        WriteError::Ask(AskError::Full) => item(
            Code::ResourceExhausted,
            "too many stock commands; try again later",
        ),
        WriteError::Ask(AskError::Timeout) => item(
            Code::DeadlineExceeded,
            "no answer in time; repeat the command",
        ),
        WriteError::Poisoned => item(Code::Internal, "the database refused the command"),
    }
}

/// A request that cannot be.
pub(super) fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}

/// No such product.
pub(super) fn no_product() -> Status {
    Status::not_found("no such product")
}

impl From<Unavailable> for Status {
    fn from(_: Unavailable) -> Self {
        Self::unavailable("the catalogue is not available; try again")
    }
}
