//! The rules: what one command does to one reservation and the stock under it.
//!
//! ```text
//!                 Reserve: enough            Commit
//!   (no row) ───────────────────────▶ HELD ──────────▶ COMMITTED
//!      │  │                            │
//!      │  │ Reserve: not possible      │ Release
//!      │  └──────────▶ REFUSED         ▼
//!      └───────────────────────────▶ RELEASED
//!            Release came first
//! ```
//!
//! Everything else leaves the row as it is and answers what it is.

use std::collections::BTreeMap;

use crate::messages::{Answer, Command, CommitAnswer, ReleaseAnswer, ReleaseEffect, ReserveAnswer};
use crate::pricing::grant;
use crate::types::{
    Content, Hold, OrderId, PricedLine, ReleaseId, RequestedLine, Reservation, ReservationId,
    ReservationState, Sku, StockDelta, StockRow,
};

/// The stock rows that a decision may look at.
pub type Stock = BTreeMap<Sku, StockRow>;

/// What a command comes to: the answer, and what has to be written before it may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer to the caller.
    pub answer: Answer,
    /// The change it rests on; `None` when the rows already say so.
    pub change: Option<Change>,
}

/// One reservation's change. Everything in it is written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The reservation row as it is afterwards.
    pub reservation: Reservation,
    /// The release to record: exactly when the row moved to `Released`.
    pub release: Option<ReleaseId>,
    /// What the stock rows gain or lose.
    pub deltas: Vec<(Sku, StockDelta)>,
}

/// Decides one command against the reservation's row, if there is one, and the stock.
///
/// `stock` must hold every row that the command's lines or the reservation's lines name; a SKU that is absent counts as unknown.
#[must_use]
pub fn decide(existing: Option<&Reservation>, stock: &Stock, command: &Command) -> Decision {
    match command {
        Command::Reserve {
            reservation_id,
            order_id,
            lines,
        } => on_reserve(existing, stock, *reservation_id, *order_id, lines),
        Command::Release {
            reservation_id,
            release_id,
            order_id,
        } => on_release(existing, stock, *reservation_id, *release_id, *order_id),
        Command::Commit { order_id, .. } => on_commit(existing, stock, *order_id),
    }
}

fn on_reserve(
    existing: Option<&Reservation>,
    stock: &Stock,
    id: ReservationId,
    order_id: OrderId,
    lines: &[RequestedLine],
) -> Decision {
    let Some(row) = existing else {
        return first_reserve(stock, id, order_id, lines);
    };
    if row.order_id != order_id {
        return unchanged(Answer::Reserve(ReserveAnswer::Conflict));
    }
    let answer = match (row.state, &row.content) {
        (_, Content::Granted(hold)) if !asks_for(lines, hold) => ReserveAnswer::Conflict,
        (ReservationState::Held, Content::Granted(hold)) => ReserveAnswer::Held {
            hold: hold.clone(),
            repeat: true,
        },
        (_, Content::Refused(refusal)) => ReserveAnswer::Refused {
            refusal: refusal.clone(),
            repeat: true,
        },
        (state, Content::Granted(_) | Content::Tombstone) => ReserveAnswer::Ended(state),
    };
    unchanged(Answer::Reserve(answer))
}

fn first_reserve(
    stock: &Stock,
    id: ReservationId,
    order_id: OrderId,
    lines: &[RequestedLine],
) -> Decision {
    let (answer, state, content, deltas) = match grant(stock, lines) {
        Ok(hold) => {
            let deltas = deltas_of(&hold.lines, StockDelta::hold);
            let answer = ReserveAnswer::Held {
                hold: hold.clone(),
                repeat: false,
            };
            (
                answer,
                ReservationState::Held,
                Content::Granted(hold),
                deltas,
            )
        }
        Err(refusal) => {
            let answer = ReserveAnswer::Refused {
                refusal: refusal.clone(),
                repeat: false,
            };
            (
                answer,
                ReservationState::Refused,
                Content::Refused(refusal),
                Vec::new(),
            )
        }
    };
    let reservation = Reservation {
        id,
        order_id,
        state,
        content,
    };
    Decision {
        answer: Answer::Reserve(answer),
        change: Some(Change {
            reservation,
            release: None,
            deltas,
        }),
    }
}

fn on_release(
    existing: Option<&Reservation>,
    stock: &Stock,
    id: ReservationId,
    release_id: ReleaseId,
    order_id: OrderId,
) -> Decision {
    let Some(row) = existing else {
        let reservation = Reservation {
            id,
            order_id,
            state: ReservationState::Released,
            content: Content::Tombstone,
        };
        let change = Change {
            reservation,
            release: Some(release_id),
            deltas: Vec::new(),
        };
        let answer = Answer::Release(ReleaseAnswer::Released(ReleaseEffect::Tombstone));
        return Decision {
            answer,
            change: Some(change),
        };
    };
    if row.order_id != order_id {
        return unchanged(Answer::Release(ReleaseAnswer::Conflict));
    }
    match row.state {
        ReservationState::Held => match moved(
            row,
            stock,
            ReservationState::Released,
            StockDelta::give_back,
        ) {
            Ok(change) => Decision {
                answer: Answer::Release(ReleaseAnswer::Released(ReleaseEffect::GaveBack)),
                change: Some(Change {
                    release: Some(release_id),
                    ..change
                }),
            },
            Err(sku) => unchanged(Answer::Release(ReleaseAnswer::BooksBroken(sku))),
        },
        ReservationState::Released => unchanged(Answer::Release(ReleaseAnswer::Released(
            ReleaseEffect::Repeat,
        ))),
        ReservationState::Refused => unchanged(Answer::Release(ReleaseAnswer::NothingHeld)),
        ReservationState::Committed => unchanged(Answer::Release(ReleaseAnswer::Sold)),
    }
}

fn on_commit(existing: Option<&Reservation>, stock: &Stock, order_id: OrderId) -> Decision {
    let Some(row) = existing else {
        return unchanged(Answer::Commit(CommitAnswer::Missing));
    };
    if row.order_id != order_id {
        return unchanged(Answer::Commit(CommitAnswer::Conflict));
    }
    match row.state {
        ReservationState::Held => {
            match moved(row, stock, ReservationState::Committed, StockDelta::sell) {
                Ok(change) => Decision {
                    answer: Answer::Commit(CommitAnswer::Committed { repeat: false }),
                    change: Some(change),
                },
                Err(sku) => unchanged(Answer::Commit(CommitAnswer::BooksBroken(sku))),
            }
        }
        ReservationState::Committed => {
            unchanged(Answer::Commit(CommitAnswer::Committed { repeat: true }))
        }
        state @ (ReservationState::Released | ReservationState::Refused) => {
            unchanged(Answer::Commit(CommitAnswer::NotHeld(state)))
        }
    }
}

fn unchanged(answer: Answer) -> Decision {
    Decision {
        answer,
        change: None,
    }
}

/// Whether the request names exactly the lines that were granted, in any order.
fn asks_for(requested: &[RequestedLine], hold: &Hold) -> bool {
    let mut asked: Vec<(&str, i64)> = requested
        .iter()
        .map(|line| (line.sku.as_str(), line.quantity))
        .collect();
    let mut granted: Vec<(&str, i64)> = hold
        .lines
        .iter()
        .map(|line| (line.sku.as_str(), line.quantity))
        .collect();
    asked.sort_unstable();
    granted.sort_unstable();
    asked == granted
}

/// Moves a held reservation to one of its ends; `Err` names a stock row that does not cover what is held.
fn moved(
    row: &Reservation,
    stock: &Stock,
    to: ReservationState,
    delta: fn(i64) -> StockDelta,
) -> Result<Change, Sku> {
    let uncovered = |line: &&PricedLine| {
        stock
            .get(&line.sku)
            .is_none_or(|stock| stock.reserved < line.quantity || stock.on_hand < line.quantity)
    };
    if let Some(line) = row.lines().iter().find(uncovered) {
        return Err(line.sku.clone());
    }
    let reservation = Reservation {
        state: to,
        ..row.clone()
    };
    Ok(Change {
        reservation,
        release: None,
        deltas: deltas_of(row.lines(), delta),
    })
}

fn deltas_of(lines: &[PricedLine], delta: fn(i64) -> StockDelta) -> Vec<(Sku, StockDelta)> {
    lines
        .iter()
        .map(|line| (line.sku.clone(), delta(line.quantity)))
        .collect()
}
