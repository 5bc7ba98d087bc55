//! What waits for a batch, and which of it goes next. Pure.

use std::collections::{HashSet, VecDeque};

use super::{BatchEntry, BatchLimits, Lane};

/// Something that wraps an entry.
pub(super) trait Queued {
    type Entry: BatchEntry;
    fn entry(&self) -> &Self::Entry;
}

#[derive(Debug)]
pub(super) struct Queue<Q> {
    continuations: VecDeque<Q>,
    accepts: VecDeque<Q>,
    lazy: VecDeque<Q>,
}

impl<Q> Default for Queue<Q> {
    fn default() -> Self {
        Self {
            continuations: VecDeque::new(),
            accepts: VecDeque::new(),
            lazy: VecDeque::new(),
        }
    }
}

impl<Q: Queued> Queue<Q> {
    fn lane(&mut self, lane: Lane) -> &mut VecDeque<Q> {
        match lane {
            Lane::Continuation => &mut self.continuations,
            Lane::Accept => &mut self.accepts,
            Lane::Lazy => &mut self.lazy,
        }
    }

    pub(super) fn push(&mut self, item: Q) {
        let lane = item.entry().lane();
        self.lane(lane).push_back(item);
    }

    /// Puts items back where they came from, in their order.
    pub(super) fn push_front(&mut self, items: Vec<Q>) {
        for item in items.into_iter().rev() {
            let lane = item.entry().lane();
            self.lane(lane).push_front(item);
        }
    }

    pub(super) fn has_urgent(&self) -> bool {
        !self.continuations.is_empty() || !self.accepts.is_empty()
    }

    pub(super) fn has_lazy(&self) -> bool {
        !self.lazy.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has_urgent() && !self.has_lazy()
    }

    /// The next batch: continuations, then accepts, then lazy entries, one per aggregate, within the limits. What does not fit stays, and
    /// an entry is never overtaken by a later one of the same aggregate in the same lane.
    pub(super) fn take_batch(&mut self, limits: &BatchLimits) -> Vec<Q> {
        let mut batch = Vec::new();
        let mut rows = 0_usize;
        let mut keys = HashSet::new();
        for lane in [Lane::Continuation, Lane::Accept, Lane::Lazy] {
            let waiting = std::mem::take(self.lane(lane));
            let mut full = false;
            for item in waiting {
                let key = item.entry().key();
                let fits = batch.is_empty()
                    || (batch.len() < limits.entries_max
                        && rows + item.entry().rows() <= limits.rows_max);
                full |= !fits;
                let taken = key.as_ref().is_some_and(|key| !keys.insert(key.clone()));
                if full || taken {
                    self.lane(lane).push_back(item);
                } else {
                    rows += item.entry().rows();
                    batch.push(item);
                }
            }
        }
        batch
    }
}
