//! What the processor holds: queues and counts, pure.
//!
//! Each kind of work has a lane of its own, so that charges which hang do not keep look-ups and refunds waiting. A payment is in at most
//! one place at a time: queued, running, or resting before its next step.

use std::collections::{HashSet, VecDeque};

use crate::change::Work;
use crate::payment::PaymentId;
use crate::processor::ProcessorLimits;

#[derive(Debug)]
struct Lane<J> {
    queue: VecDeque<J>,
    running: usize,
    running_max: usize,
}

impl<J> Lane<J> {
    fn new(running_max: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            running: 0,
            running_max,
        }
    }

    fn room(&self) -> usize {
        self.running_max
            .saturating_sub(self.running + self.queue.len())
    }
}

/// Jobs of type `J`, by lane.
#[derive(Debug)]
pub(crate) struct Lanes<J> {
    charges: Lane<J>,
    look_ups: Lane<J>,
    refunds: Lane<J>,
    held: HashSet<PaymentId>,
    held_max: usize,
}

impl<J> Lanes<J> {
    pub(crate) fn new(limits: &ProcessorLimits) -> Self {
        Self {
            charges: Lane::new(limits.charges_in_flight),
            look_ups: Lane::new(limits.look_ups_in_flight),
            refunds: Lane::new(limits.refunds_in_flight),
            held: HashSet::new(),
            held_max: limits.held_max,
        }
    }

    fn lane(&mut self, work: Work) -> &mut Lane<J> {
        match work {
            Work::Charge => &mut self.charges,
            Work::LookUp => &mut self.look_ups,
            Work::Refund => &mut self.refunds,
        }
    }

    /// Takes a payment into memory. `false`: it is there already, or memory is full; its row's wake time is the net.
    pub(crate) fn hold(&mut self, id: PaymentId) -> bool {
        self.held.len() < self.held_max && self.held.insert(id)
    }

    /// Lets go of a payment.
    pub(crate) fn release(&mut self, id: PaymentId) {
        self.held.remove(&id);
    }

    /// Queues a job of a payment that is held.
    pub(crate) fn push(&mut self, work: Work, job: J) {
        self.lane(work).queue.push_back(job);
    }

    /// The next job of a lane with a free place; it runs from here on.
    pub(crate) fn start_next(&mut self, work: Work) -> Option<J> {
        let lane = self.lane(work);
        if lane.running >= lane.running_max {
            return None;
        }
        let job = lane.queue.pop_front()?;
        lane.running += 1;
        Some(job)
    }

    /// A job that ran has ended.
    pub(crate) fn ended(&mut self, work: Work) {
        let lane = self.lane(work);
        lane.running = lane.running.saturating_sub(1);
    }

    /// How many more jobs each lane could start at once: charges, look-ups, refunds.
    pub(crate) fn room(&self) -> [usize; 3] {
        let memory = self.held_max.saturating_sub(self.held.len());
        [&self.charges, &self.look_ups, &self.refunds].map(|lane| lane.room().min(memory))
    }

    /// Payments held, jobs running.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let running = self.charges.running + self.look_ups.running + self.refunds.running;
        (self.held.len(), running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn lanes() -> Lanes<u32> {
        Lanes::new(&ProcessorLimits {
            charges_in_flight: 2,
            look_ups_in_flight: 1,
            refunds_in_flight: 1,
            held_max: 4,
            ..ProcessorLimits::default()
        })
    }

    fn id(n: u128) -> PaymentId {
        PaymentId(Uuid::from_u128(n))
    }

    #[test]
    fn a_full_lane_does_not_hold_up_the_others() {
        let mut lanes = lanes();
        for job in 0..3 {
            assert!(lanes.hold(id(u128::from(job))));
            lanes.push(Work::Charge, job);
        }
        lanes.push(Work::LookUp, 9);

        assert_eq!(lanes.start_next(Work::Charge), Some(0));
        assert_eq!(lanes.start_next(Work::Charge), Some(1));
        assert_eq!(lanes.start_next(Work::Charge), None);
        assert_eq!(lanes.start_next(Work::LookUp), Some(9));

        lanes.ended(Work::Charge);
        assert_eq!(lanes.start_next(Work::Charge), Some(2));
    }

    #[test]
    fn a_payment_is_held_once_and_memory_is_bounded() {
        let mut lanes = lanes();
        assert!(lanes.hold(id(1)));
        assert!(!lanes.hold(id(1)));
        for n in 2..=4 {
            assert!(lanes.hold(id(n)));
        }
        assert!(!lanes.hold(id(5)));
        assert_eq!(lanes.room(), [0, 0, 0]);

        lanes.release(id(1));
        assert!(lanes.hold(id(5)));
    }

    #[test]
    fn room_counts_what_runs_and_what_waits() {
        let mut lanes = lanes();
        assert_eq!(lanes.room(), [2, 1, 1]);
        lanes.hold(id(1));
        lanes.push(Work::Charge, 1);
        assert_eq!(lanes.room(), [1, 1, 1]);
        assert_eq!(lanes.start_next(Work::Charge), Some(1));
        assert_eq!(lanes.room(), [1, 1, 1]);
        assert_eq!(lanes.depth(), (1, 1));
    }
}
