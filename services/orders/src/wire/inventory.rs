//! Stock commands and their answers.

use order_saga::saga::{CommitAnswer, ReleaseAnswer, ReserveAnswer};
use order_saga::{CallError, Cents, PricedLine, Quote, ReservationId, Sku};
use shopapi_proto::inventory::v1 as proto;
use shopapi_proto::inventory::v1::ReservationState;
use tracing::error;

use crate::grpc::status;

/// What a result says; `None` for a word that this program does not know.
type Read<T> = Option<Result<T, CallError>>;

pub(crate) fn reserve_answer(
    reservation_id: ReservationId,
    result: proto::ReserveResult,
) -> Result<ReserveAnswer, CallError> {
    use proto::reserve_result::Outcome;
    let read: Read<ReserveAnswer> = match result.outcome {
        Some(Outcome::Held(held)) => quote(held).map(|quote| Ok(ReserveAnswer::Held(quote))),
        Some(Outcome::Refused(refusal)) => {
            super::refusal_of(refusal).map(|refusal| Ok(ReserveAnswer::Refused(refusal)))
        }
        Some(Outcome::Ended(state)) => match ReservationState::try_from(state) {
            Ok(ReservationState::Released) => Some(Ok(ReserveAnswer::Released)),
            Ok(ReservationState::Committed) => Some(Ok(ReserveAnswer::Committed)),
            _ => None,
        },
        Some(Outcome::Error(item)) => Some(Err(status::item_error(&item))),
        None => None,
    };
    understood("Reserve", reservation_id, &result.reservation_id, read)
}

pub(crate) fn release_answer(
    reservation_id: ReservationId,
    result: &proto::ReleaseResult,
) -> Result<ReleaseAnswer, CallError> {
    use proto::release_result::Outcome;
    let read: Read<ReleaseAnswer> = match &result.outcome {
        Some(Outcome::State(state)) => match ReservationState::try_from(*state) {
            // Nothing was ever held by a refused one.
            Ok(ReservationState::Released | ReservationState::Refused) => {
                Some(Ok(ReleaseAnswer::Released))
            }
            Ok(ReservationState::Committed) => Some(Ok(ReleaseAnswer::Committed)),
            _ => None,
        },
        Some(Outcome::Error(item)) => Some(Err(status::item_error(item))),
        None => None,
    };
    understood("Release", reservation_id, &result.reservation_id, read)
}

pub(crate) fn commit_answer(
    reservation_id: ReservationId,
    result: &proto::CommitResult,
) -> Result<CommitAnswer, CallError> {
    use proto::commit_result::Outcome;
    let read: Read<CommitAnswer> = match &result.outcome {
        Some(Outcome::State(state)) => match ReservationState::try_from(*state) {
            Ok(ReservationState::Committed) => Some(Ok(CommitAnswer::Committed)),
            Ok(ReservationState::Released) => Some(Ok(CommitAnswer::Released)),
            Ok(ReservationState::Refused) => Some(Ok(CommitAnswer::Refused)),
            _ => None,
        },
        Some(Outcome::Error(item)) => Some(Err(status::item_error(item))),
        None => None,
    };
    understood("Commit", reservation_id, &result.reservation_id, read)
}

/// An answer counts only when it is about what was asked and says something known.
fn understood<T>(
    method: &'static str,
    asked: ReservationId,
    answered: &str,
    read: Read<T>,
) -> Result<T, CallError> {
    match read {
        Some(answer) if answered.parse() == Ok(asked.0) => answer,
        _ => {
            error!(method, reservation_id = %asked, "inventory's answer cannot be understood");
            Err(CallError::Unavailable)
        }
    }
}

fn quote(held: proto::Held) -> Option<Quote> {
    Some(Quote {
        total: Cents(held.total_cents),
        currency: held.currency.parse().ok()?,
        lines: held
            .lines
            .into_iter()
            .map(|line| PricedLine {
                sku: Sku::new(&line.sku),
                quantity: line.quantity,
                unit_price: Cents(line.unit_price_cents),
            })
            .collect(),
    })
    .filter(|quote| quote.total.0 > 0)
}

#[cfg(test)]
mod tests {
    use shopapi_proto::common::v1::ItemError;
    use uuid::Uuid;

    use super::*;

    const ID: ReservationId = ReservationId(Uuid::from_u128(7));

    fn released(id: &str, state: ReservationState) -> proto::ReleaseResult {
        proto::ReleaseResult {
            reservation_id: id.to_owned(),
            outcome: Some(proto::release_result::Outcome::State(state.into())),
        }
    }

    #[test]
    fn releasing_what_was_refused_is_a_success() {
        let result = released(&ID.to_string(), ReservationState::Refused);
        assert_eq!(release_answer(ID, &result), Ok(ReleaseAnswer::Released));
    }

    #[test]
    fn an_answer_about_another_reservation_is_none() {
        let result = released(&Uuid::nil().to_string(), ReservationState::Released);
        assert_eq!(release_answer(ID, &result), Err(CallError::Unavailable));
    }

    #[test]
    fn a_hold_without_a_price_is_no_answer() {
        let result = proto::ReserveResult {
            reservation_id: ID.to_string(),
            outcome: Some(proto::reserve_result::Outcome::Held(proto::Held {
                total_cents: 0,
                currency: "EUR".to_owned(),
                lines: vec![],
            })),
        };
        assert_eq!(reserve_answer(ID, result), Err(CallError::Unavailable));
    }

    #[test]
    fn an_item_that_was_not_decided_is_asked_again() {
        let result = proto::CommitResult {
            reservation_id: ID.to_string(),
            outcome: Some(proto::commit_result::Outcome::Error(ItemError {
                code: 14,
                message: String::new(),
            })),
        };
        assert_eq!(commit_answer(ID, &result), Err(CallError::Unavailable));
    }
}
