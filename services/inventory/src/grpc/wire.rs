//! Between protobuf and stock's words.

use shopapi_proto::common::v1::{self as common, ItemError, refusal::Reason};
use shopapi_proto::inventory::v1 as proto;
use shopapi_proto::inventory::v1::{commit_result, release_result, reserve_result};
use stock::{
    Command, CommitAnswer, Hold, OrderId, PricedLine, Refusal, ReleaseAnswer, ReleaseId,
    RequestedLine, ReservationId, ReservationState, ReserveAnswer, Shortage,
};
use uuid::Uuid;

use super::status;

fn uuid(text: &str, what: &'static str) -> Result<Uuid, ItemError> {
    Uuid::try_parse(text).map_err(|_| status::invalid_item(what))
}

fn reservation_id(text: &str) -> Result<ReservationId, ItemError> {
    uuid(text, "reservation_id is not a UUID").map(ReservationId)
}

fn order_id(id: i64) -> Result<OrderId, ItemError> {
    if id > 0 {
        Ok(OrderId(id))
    } else {
        Err(status::invalid_item("order_id is not positive"))
    }
}

/// The command in a Reserve item. Lines are taken as they are: what is wrong with them is a refusal, and so has a row.
pub(super) fn reserve(item: proto::ReserveItem) -> Result<Command, ItemError> {
    let line = |line: common::Line| RequestedLine {
        sku: line.sku,
        quantity: line.quantity,
    };
    Ok(Command::Reserve {
        reservation_id: reservation_id(&item.reservation_id)?,
        order_id: order_id(item.order_id)?,
        lines: item.lines.into_iter().map(line).collect(),
    })
}

/// The command in a Release item.
pub(super) fn release(item: &proto::ReleaseItem) -> Result<Command, ItemError> {
    Ok(Command::Release {
        reservation_id: reservation_id(&item.reservation_id)?,
        release_id: uuid(&item.release_id, "release_id is not a UUID").map(ReleaseId)?,
        order_id: order_id(item.order_id)?,
    })
}

/// The command in a Commit item.
pub(super) fn commit(item: &proto::CommitItem) -> Result<Command, ItemError> {
    Ok(Command::Commit {
        reservation_id: reservation_id(&item.reservation_id)?,
        order_id: order_id(item.order_id)?,
    })
}

/// The outcome of a Reserve item.
pub(super) fn reserve_outcome(answer: Result<ReserveAnswer, ItemError>) -> reserve_result::Outcome {
    use reserve_result::Outcome;
    match answer {
        Ok(ReserveAnswer::Held { hold, .. }) => Outcome::Held(held(hold)),
        Ok(ReserveAnswer::Refused { refusal, .. }) => Outcome::Refused(refused(refusal)),
        Ok(ReserveAnswer::Ended(state)) => Outcome::Ended(self::state(state).into()),
        Ok(ReserveAnswer::Conflict) => Outcome::Error(status::conflict()),
        Err(error) => Outcome::Error(error),
    }
}

/// The outcome of a Release item.
pub(super) fn release_outcome(answer: Result<ReleaseAnswer, ItemError>) -> release_result::Outcome {
    use release_result::Outcome;
    let state = |state| Outcome::State(self::state(state).into());
    match answer {
        Ok(ReleaseAnswer::Released(_)) => state(ReservationState::Released),
        Ok(ReleaseAnswer::NothingHeld) => state(ReservationState::Refused),
        Ok(ReleaseAnswer::Sold) => state(ReservationState::Committed),
        Ok(ReleaseAnswer::Conflict) => Outcome::Error(status::conflict()),
        Ok(ReleaseAnswer::BooksBroken(_)) => Outcome::Error(status::broken()),
        Err(error) => Outcome::Error(error),
    }
}

/// The outcome of a Commit item.
pub(super) fn commit_outcome(answer: Result<CommitAnswer, ItemError>) -> commit_result::Outcome {
    use commit_result::Outcome;
    let state = |state| Outcome::State(self::state(state).into());
    match answer {
        Ok(CommitAnswer::Committed { .. }) => state(ReservationState::Committed),
        Ok(CommitAnswer::NotHeld(ended)) => state(ended),
        Ok(CommitAnswer::Missing) => Outcome::Error(status::missing()),
        Ok(CommitAnswer::Conflict) => Outcome::Error(status::conflict()),
        Ok(CommitAnswer::BooksBroken(_)) => Outcome::Error(status::broken()),
        Err(error) => Outcome::Error(error),
    }
}

fn state(state: ReservationState) -> proto::ReservationState {
    match state {
        ReservationState::Held => proto::ReservationState::Held,
        ReservationState::Refused => proto::ReservationState::Refused,
        ReservationState::Committed => proto::ReservationState::Committed,
        ReservationState::Released => proto::ReservationState::Released,
    }
}

fn held(hold: Hold) -> proto::Held {
    let line = |line: PricedLine| common::PricedLine {
        sku: line.sku.to_string(),
        quantity: line.quantity,
        unit_price_cents: line.unit_price.0,
    };
    proto::Held {
        total_cents: hold.total.0,
        currency: hold.currency.to_string(),
        lines: hold.lines.into_iter().map(line).collect(),
    }
}

fn refused(refusal: Refusal) -> common::Refusal {
    let (reason, shortages) = match refusal {
        Refusal::InvalidLines => (Reason::InvalidLines, Vec::new()),
        Refusal::UnknownSku(unknown) => (Reason::UnknownSku, unknown),
        Refusal::MixedCurrency => (Reason::MixedCurrency, Vec::new()),
        Refusal::TotalOutOfRange => (Reason::TotalOutOfRange, Vec::new()),
        Refusal::OutOfStock(short) => (Reason::OutOfStock, short),
    };
    let shortage = |row: Shortage| common::Shortage {
        sku: row.sku.to_string(),
        requested: row.requested,
        available: row.available,
    };
    common::Refusal {
        reason: reason.into(),
        shortages: shortages.into_iter().map(shortage).collect(),
    }
}
