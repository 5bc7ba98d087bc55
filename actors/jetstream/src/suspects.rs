//! Which events killed their handler, and how often. Pure.
//!
//! A handler that dies takes every event it has in hand with it. Counting such a death for all of them would, after a few
//! rounds, bury the innocent with the guilty. So an event that was once in a dying handler's hand becomes a *suspect* and is
//! handed over alone: from then on a death is its own.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

/// Suspects remembered: far more than a few fetched batches hold; beyond it the oldest start again at zero.
const REMEMBERED_MAX: usize = 4_096;

/// Deaths by event.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    deaths: HashMap<Uuid, u32>,
    order: VecDeque<Uuid>,
    in_hand: Option<Uuid>,
}

impl Suspects {
    /// How often a handler died with this event in hand.
    pub(crate) fn deaths(&self, event_id: Uuid) -> u32 {
        self.deaths.get(&event_id).copied().unwrap_or(0)
    }

    /// Takes the one place for a suspect; `false` when another has it.
    pub(crate) fn take_in_hand(&mut self, event_id: Uuid) -> bool {
        let free = self.in_hand.is_none();
        if free {
            self.in_hand = Some(event_id);
        }
        free
    }

    /// The event was answered or given up.
    pub(crate) fn cleared(&mut self, event_id: Uuid) {
        self.leave(event_id);
        if self.deaths.remove(&event_id).is_some() {
            self.order.retain(|id| *id != event_id);
        }
    }

    /// The event is delivered again for a reason that says nothing about it.
    pub(crate) fn postponed(&mut self, event_id: Uuid) {
        self.leave(event_id);
    }

    /// The handler died with the event in hand.
    pub(crate) fn died(&mut self, event_id: Uuid) {
        self.leave(event_id);
        let deaths = self.deaths.entry(event_id).or_insert(0);
        if *deaths == 0 {
            self.order.push_back(event_id);
        }
        *deaths = deaths.saturating_add(1);
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.deaths.remove(&oldest);
        }
    }

    fn leave(&mut self, event_id: Uuid) {
        if self.in_hand == Some(event_id) {
            self.in_hand = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    #[test]
    fn deaths_count_until_an_answer_clears_them() {
        let mut suspects = Suspects::default();
        suspects.died(A);
        suspects.died(A);
        suspects.died(B);
        suspects.postponed(A);
        assert_eq!((suspects.deaths(A), suspects.deaths(B)), (2, 1));
        suspects.cleared(A);
        assert_eq!((suspects.deaths(A), suspects.deaths(B)), (0, 1));
    }

    #[test]
    fn only_one_suspect_is_in_hand() {
        let mut suspects = Suspects::default();
        assert!(suspects.take_in_hand(A));
        assert!(!suspects.take_in_hand(B));
        suspects.postponed(B);
        assert!(
            !suspects.take_in_hand(B),
            "an event that does not hold the place cannot free it"
        );
        suspects.died(A);
        assert!(suspects.take_in_hand(B));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut suspects = Suspects::default();
        for n in 0..5_000_u128 {
            suspects.died(Uuid::from_u128(n));
        }
        assert_eq!(suspects.deaths.len(), REMEMBERED_MAX);
        assert_eq!(suspects.deaths(Uuid::from_u128(0)), 0);
        assert_eq!(suspects.deaths(Uuid::from_u128(4_999)), 1);
    }
}
