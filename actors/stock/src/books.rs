//! The tables of stock in memory, with the constraints of the real ones: for tests and for models of the whole protocol.

use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{Changes, ProcessedRelease, Snapshot, Wanted};
use crate::rules::Stock;
use crate::types::{ReleaseId, Reservation, ReservationId, ReservationState, Sku, StockRow};

/// A constraint that a change would have broken. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BooksError {
    /// `0 ≤ reserved ≤ on_hand` would not hold, or the row does not exist.
    #[error("stock of {0} would not cover what is held")]
    Stock(Sku),
    /// The reservation exists already: somebody else inserted it after the snapshot.
    #[error("reservation {0} exists")]
    Reservation(ReservationId),
    /// A row to move that does not exist.
    #[error("reservation {0} does not exist")]
    NoReservation(ReservationId),
    /// The release id was used before.
    #[error("release {0:?} was processed before")]
    Release(ReleaseId),
}

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Books {
    /// Reservations by id.
    pub reservations: BTreeMap<ReservationId, Reservation>,
    /// Stock with prices by SKU.
    pub stock: Stock,
    /// Processed releases and the reservation each moved.
    pub releases: BTreeMap<ReleaseId, ReservationId>,
}

impl Books {
    /// Books with this stock and nothing held.
    pub fn with_stock(stock: impl IntoIterator<Item = (Sku, StockRow)>) -> Self {
        Self {
            stock: stock.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The rows that a batch needs, as a store reads them under lock.
    #[must_use]
    pub fn snapshot(&self, wanted: &Wanted) -> Snapshot {
        let reservations: BTreeMap<_, _> = wanted
            .reservations
            .iter()
            .filter_map(|id| Some((*id, self.reservations.get(id)?.clone())))
            .collect();
        let held = reservations
            .values()
            .filter(|row| row.state == ReservationState::Held);
        let skus: BTreeSet<&Sku> = held
            .flat_map(|row| row.lines())
            .map(|line| &line.sku)
            .chain(&wanted.skus)
            .collect();
        let stock = skus
            .into_iter()
            .filter_map(|sku| Some((sku.clone(), self.stock.get(sku)?.clone())))
            .collect();
        Snapshot {
            reservations,
            stock,
            ..Snapshot::default()
        }
    }

    /// Writes the changes of a batch, all or none.
    ///
    /// # Errors
    /// [`BooksError`] names the constraint that is in the way.
    pub fn apply(&mut self, changes: &Changes) -> Result<(), BooksError> {
        let mut next = self.clone();
        for row in &changes.inserted {
            if next.reservations.insert(row.id, row.clone()).is_some() {
                return Err(BooksError::Reservation(row.id));
            }
        }
        for (id, state) in &changes.moved {
            next.reservations
                .get_mut(id)
                .ok_or(BooksError::NoReservation(*id))?
                .state = *state;
        }
        for ProcessedRelease {
            release_id,
            reservation_id,
            ..
        } in &changes.releases
        {
            if next.releases.insert(*release_id, *reservation_id).is_some() {
                return Err(BooksError::Release(*release_id));
            }
        }
        for (sku, delta) in &changes.stock {
            let broken = || BooksError::Stock(sku.clone());
            let row = next.stock.get_mut(sku).ok_or_else(broken)?;
            row.on_hand += delta.on_hand;
            row.reserved += delta.reserved;
            if row.reserved < 0 || row.reserved > row.on_hand {
                return Err(broken());
            }
        }
        *self = next;
        Ok(())
    }

    /// Pieces of `sku` in reservations of `state`.
    #[must_use]
    pub fn pieces(&self, sku: &Sku, state: ReservationState) -> i64 {
        let rows = self.reservations.values().filter(|row| row.state == state);
        rows.flat_map(|row| row.lines())
            .filter(|line| line.sku == *sku)
            .map(|line| line.quantity)
            .sum()
    }
}
