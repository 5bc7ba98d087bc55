//! Many commands against one locked snapshot, in the order they arrived.
//!
//! ```text
//!   commands ──▶ Wanted::of ──▶ (store locks and reads) ──▶ Snapshot ──▶ decide_batch ──▶ verdicts + Changes ──▶ (store writes)
//! ```
//!
//! Each command sees what the commands before it did, so a batch comes to the same rows however it is cut into smaller ones.
//! The changes are one row per reservation and one delta per stock row, whatever the number of commands: that is what makes a
//! hot SKU cheap.

use std::collections::{BTreeMap, BTreeSet};

use crate::messages::{Answer, Command};
use crate::pricing::valid_lines;
use crate::rules::{Change, Stock, decide};
use crate::types::{
    OrderId, ReleaseId, Reservation, ReservationId, ReservationState, Sku, StockDelta,
};

/// The rows that a batch needs, sorted and without repeats: the order in which they are locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Reservations, which may not exist yet.
    pub reservations: Vec<ReservationId>,
    /// SKUs that Reserve commands name. The lines of existing reservations name more; the store adds them.
    pub skus: Vec<Sku>,
}

impl Wanted {
    /// Collects what the commands need.
    pub fn of<'a>(commands: impl IntoIterator<Item = &'a Command>) -> Self {
        let mut reservations = BTreeSet::new();
        let mut skus = BTreeSet::new();
        for command in commands {
            reservations.insert(command.reservation_id());
            if let Command::Reserve { lines, .. } = command {
                skus.extend(valid_lines(lines).into_iter().flatten().map(|(sku, _)| sku));
            }
        }
        Self {
            reservations: reservations.into_iter().collect(),
            skus: skus.into_iter().collect(),
        }
    }
}

/// The wanted rows as they are under lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Reservations that exist and are locked.
    pub reservations: BTreeMap<ReservationId, Reservation>,
    /// Reservations that exist and somebody else has locked: their commands wait for the next batch.
    pub busy_reservations: BTreeSet<ReservationId>,
    /// Stock rows, locked.
    pub stock: Stock,
    /// Stock rows that exist and somebody else has locked: commands that need them wait for the next batch.
    pub busy_skus: BTreeSet<Sku>,
}

/// What became of one command of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Decided; the answer holds once the changes are committed.
    Decided(Answer),
    /// A row it needs is locked elsewhere; nothing was decided.
    Busy,
}

/// A release that moved a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessedRelease {
    /// The release.
    pub release_id: ReleaseId,
    /// The reservation it moved.
    pub reservation_id: ReservationId,
    /// For whom.
    pub order_id: OrderId,
}

/// Everything a batch writes, in one transaction. Every list is sorted by its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows that did not exist.
    pub inserted: Vec<Reservation>,
    /// Rows that exist and get another state.
    pub moved: Vec<(ReservationId, ReservationState)>,
    /// Releases that moved a reservation.
    pub releases: Vec<ProcessedRelease>,
    /// The sum of what the stock rows gain or lose; rows that come out even are left out.
    pub stock: BTreeMap<Sku, StockDelta>,
}

impl Changes {
    /// Whether nothing has to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty()
            && self.moved.is_empty()
            && self.releases.is_empty()
            && self.stock.is_empty()
    }
}

/// Decides the commands one after the other. The verdicts stand in the order of the commands.
#[must_use]
pub fn decide_batch<'a>(
    snapshot: Snapshot,
    commands: impl IntoIterator<Item = &'a Command>,
) -> (Vec<Verdict>, Changes) {
    let mut books = Running::new(snapshot);
    let verdicts = commands
        .into_iter()
        .map(|command| books.decide(command))
        .collect();
    (verdicts, books.into_changes())
}

/// The snapshot as it moves through the batch.
struct Running {
    snapshot: Snapshot,
    /// Which of the snapshot's reservations the database has.
    stored: BTreeSet<ReservationId>,
    touched: BTreeSet<ReservationId>,
    releases: Vec<ProcessedRelease>,
    deltas: BTreeMap<Sku, StockDelta>,
}

impl Running {
    fn new(snapshot: Snapshot) -> Self {
        let stored = snapshot.reservations.keys().copied().collect();
        let (touched, releases, deltas) = (BTreeSet::new(), Vec::new(), BTreeMap::new());
        Self {
            snapshot,
            stored,
            touched,
            releases,
            deltas,
        }
    }

    fn decide(&mut self, command: &Command) -> Verdict {
        if self.is_busy(command) {
            return Verdict::Busy;
        }
        let existing = self.snapshot.reservations.get(&command.reservation_id());
        let decision = decide(existing, &self.snapshot.stock, command);
        if let Some(change) = decision.change {
            self.apply(change);
        }
        Verdict::Decided(decision.answer)
    }

    fn is_busy(&self, command: &Command) -> bool {
        let id = command.reservation_id();
        if self.snapshot.busy_reservations.contains(&id) {
            return true;
        }
        if self.snapshot.busy_skus.is_empty() {
            return false;
        }
        let busy = |sku: &Sku| self.snapshot.busy_skus.contains(sku);
        match (self.snapshot.reservations.get(&id), command) {
            (None, Command::Reserve { lines, .. }) => {
                valid_lines(lines).is_some_and(|lines| lines.iter().any(|(sku, _)| busy(sku)))
            }
            (Some(row), Command::Release { .. } | Command::Commit { .. }) => {
                // A row that has ended touches no stock any more.
                row.state == ReservationState::Held
                    && row.lines().iter().any(|line| busy(&line.sku))
            }
            (Some(_), Command::Reserve { .. })
            | (None, Command::Release { .. } | Command::Commit { .. }) => false,
        }
    }

    fn apply(&mut self, change: Change) {
        let Change {
            reservation,
            release,
            deltas,
        } = change;
        for (sku, delta) in deltas {
            if let Some(row) = self.snapshot.stock.get_mut(&sku) {
                row.on_hand += delta.on_hand;
                row.reserved += delta.reserved;
            }
            let sum = self.deltas.entry(sku).or_default();
            *sum = sum.then(delta);
        }
        if let Some(release_id) = release {
            self.releases.push(ProcessedRelease {
                release_id,
                reservation_id: reservation.id,
                order_id: reservation.order_id,
            });
        }
        self.touched.insert(reservation.id);
        self.snapshot
            .reservations
            .insert(reservation.id, reservation);
    }

    fn into_changes(mut self) -> Changes {
        self.releases.sort_unstable();
        let mut changes = Changes {
            releases: self.releases,
            stock: self
                .deltas
                .into_iter()
                .filter(|(_, delta)| !delta.is_zero())
                .collect(),
            ..Changes::default()
        };
        for (id, reservation) in self.snapshot.reservations {
            if !self.touched.contains(&id) {
                continue;
            }
            if self.stored.contains(&id) {
                changes.moved.push((id, reservation.state));
            } else {
                changes.inserted.push(reservation);
            }
        }
        changes
    }
}
