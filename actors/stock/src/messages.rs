//! What the stock keeper can be told, and what it answers.

use crate::types::{
    Hold, OrderId, Refusal, ReleaseId, RequestedLine, ReservationId, ReservationState, Sku,
};

/// A command to the stock keeper. Every command is idempotent by its reservation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Sets stock aside for an order, or records why not.
    Reserve {
        /// The reservation to make.
        reservation_id: ReservationId,
        /// For whom.
        order_id: OrderId,
        /// What.
        lines: Vec<RequestedLine>,
    },
    /// Gives back what the reservation holds; before the reservation exists, keeps it from ever holding anything.
    Release {
        /// The reservation to end.
        reservation_id: ReservationId,
        /// The name of this release.
        release_id: ReleaseId,
        /// For whom.
        order_id: OrderId,
    },
    /// Turns what the reservation holds into sold goods.
    Commit {
        /// The reservation to end.
        reservation_id: ReservationId,
        /// For whom.
        order_id: OrderId,
    },
}

impl Command {
    /// The reservation it is about.
    #[must_use]
    pub fn reservation_id(&self) -> ReservationId {
        match self {
            Self::Reserve { reservation_id, .. }
            | Self::Release { reservation_id, .. }
            | Self::Commit { reservation_id, .. } => *reservation_id,
        }
    }

    /// The order it is about.
    #[must_use]
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Reserve { order_id, .. }
            | Self::Release { order_id, .. }
            | Self::Commit { order_id, .. } => *order_id,
        }
    }
}

/// The answer to Reserve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReserveAnswer {
    /// The stock is held.
    Held {
        /// What is held, at which prices.
        hold: Hold,
        /// The reservation existed before: the same answer as the first time.
        repeat: bool,
    },
    /// The stock is not held and never will be under this id.
    Refused {
        /// Why.
        refusal: Refusal,
        /// The refusal existed before: the same answer as the first time.
        repeat: bool,
    },
    /// The reservation has ended: `Released` (perhaps before it was made) or `Committed`.
    Ended(ReservationState),
    /// The id belongs to another order or to other lines. Nothing was changed.
    Conflict,
}

/// The answer to Release.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseAnswer {
    /// The reservation is released.
    Released(ReleaseEffect),
    /// The reservation had been refused: a success without effect.
    NothingHeld,
    /// Illegal: the goods are sold, and sold goods are not released.
    Sold,
    /// The id belongs to another order. Nothing was changed.
    Conflict,
    /// The stock row does not cover what the reservation holds: somebody changed the books by hand. Nothing was changed.
    BooksBroken(Sku),
}

/// What a successful Release did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseEffect {
    /// Held stock was given back.
    GaveBack,
    /// There was no reservation; there is a tombstone in its place.
    Tombstone,
    /// It had been released before.
    Repeat,
}

/// The answer to Commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommitAnswer {
    /// The goods are sold.
    Committed {
        /// They were sold before.
        repeat: bool,
    },
    /// There is nothing to commit: the reservation is `Released` or `Refused`.
    NotHeld(ReservationState),
    /// No such reservation.
    Missing,
    /// The id belongs to another order. Nothing was changed.
    Conflict,
    /// The stock row does not cover what the reservation holds: somebody changed the books by hand. Nothing was changed.
    BooksBroken(Sku),
}

/// The answer to a [`Command`], of the same kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To [`Command::Reserve`].
    Reserve(ReserveAnswer),
    /// To [`Command::Release`].
    Release(ReleaseAnswer),
    /// To [`Command::Commit`].
    Commit(CommitAnswer),
}

impl Answer {
    /// The SKU whose books do not add up: nobody's command is wrong, and nobody but a person can put it right.
    #[must_use]
    pub fn broken(&self) -> Option<&Sku> {
        match self {
            Self::Release(ReleaseAnswer::BooksBroken(sku))
            | Self::Commit(CommitAnswer::BooksBroken(sku)) => Some(sku),
            Self::Reserve(_) | Self::Release(_) | Self::Commit(_) => None,
        }
    }
}
