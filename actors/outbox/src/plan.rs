//! What is published next. Pure: time comes in as a value, effects go out as values.
//!
//! ```text
//!            hand_over                     claimed
//!                │                            │          duplicates of anything known are recognised here
//!                ▼                            ▼
//!   ┌────────── queue (held until …) ◄──────────────┐
//!   │ take: while in flight < window                │ refused: own backoff, then back in the queue
//!   ▼                                               │ unavailable: back in the queue, everything pauses
//!  in flight ── published ──► marks ──► take_marks ─┘ (not taken: kept)
//!                   └──► remembered, so that a later claim of the same row is marked again and not published again
//! ```
//!
//! Every event known is in exactly one place (queue, in flight, waiting for its retry); an event that is not held any longer is
//! forgotten, because its row can be claimed by any replica then.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use crate::limits::{PlanDepth, PlanLimits};
use crate::remembered::Remembered;
use crate::{Claim, OutboxEvent, PublishOutcome};

/// Time since the drainer started; a plain value.
pub type Now = Duration;

/// An event in memory.
#[derive(Debug, Clone)]
struct Held {
    event: OutboxEvent,
    /// Published by us only until then; afterwards any replica may claim the row.
    until: Now,
    /// Times the bus refused this event.
    refusals: u32,
}

/// A refused event waiting for its own retry.
#[derive(Debug)]
struct Retry {
    held: Held,
    at: Now,
}

/// The state of the drainer.
#[derive(Debug)]
pub struct Plan {
    limits: PlanLimits,
    queue: VecDeque<Held>,
    in_flight: HashMap<Uuid, Held>,
    retries: Vec<Retry>,
    known: HashSet<Uuid>,
    remembered: Remembered,
    marks: VecDeque<Uuid>,
    marks_since: Now,
    /// Failures of the bus in a row; 0 = it answers.
    bus_failures: u32,
    paused_until: Now,
    /// When the running claim was sent: leases count from there, never later than the database's own count.
    claim_sent: Now,
    /// Rows the running claim may bring; 0 = none runs. Their places are kept free.
    claim_rows: usize,
    claim_at: Now,
    claim_failures: u32,
}

impl Plan {
    /// An empty plan; its first claim is due at once.
    #[must_use]
    pub fn new(limits: PlanLimits) -> Self {
        let remembered = Remembered::new(limits.remembered_max);
        Self {
            limits,
            queue: VecDeque::new(),
            in_flight: HashMap::new(),
            retries: Vec::new(),
            known: HashSet::new(),
            remembered,
            marks: VecDeque::new(),
            marks_since: Duration::ZERO,
            bus_failures: 0,
            paused_until: Duration::ZERO,
            claim_sent: Duration::ZERO,
            claim_rows: 0,
            claim_at: Duration::ZERO,
            claim_failures: 0,
        }
    }

    /// Takes freshly committed events from the writer. Returns how many were dropped because memory is full.
    pub fn hand_over(&mut self, events: Vec<OutboxEvent>, now: Now) -> usize {
        let until = now + self.limits.claim_min_age;
        let mut dropped = 0;
        for event in events {
            if self.known.contains(&event.event_id) || self.remembered.contains(event.event_id) {
                continue;
            }
            if self.known.len() + self.claim_rows >= self.limits.held_max {
                dropped += 1;
                continue;
            }
            self.enqueue(event, until);
        }
        dropped
    }

    /// The claim to send, when one is due. Exactly one of [`Plan::claimed`] and [`Plan::claim_failed`] follows.
    pub fn take_claim(&mut self, now: Now) -> Option<Claim> {
        if now < self.claim_at || now < self.paused_until {
            return None;
        }
        self.forget_lapsed(now);
        let rows_max = self.claimable();
        if rows_max == 0 {
            return None;
        }
        self.claim_sent = now;
        self.claim_rows = rows_max;
        Some(Claim {
            rows_max,
            min_age: self.limits.claim_min_age,
            lease: self.limits.claim_lease,
        })
    }

    /// The store answered the claim.
    pub fn claimed(&mut self, events: Vec<OutboxEvent>, now: Now) {
        self.claim_failures = 0;
        // A full answer says that there is more: the next claim follows as soon as there is room.
        let full = events.len() >= std::mem::take(&mut self.claim_rows);
        self.claim_at = if full {
            now
        } else {
            now + self.limits.poll_every
        };
        let until = self.claim_sent + self.limits.claim_lease;
        for event in events {
            let id = event.event_id;
            if self.remembered.contains(id) {
                // Published before, and yet the row says otherwise: its mark was lost on the way.
                self.push_mark(id, now);
            } else if self.known.contains(&id) {
                self.extend(id, until);
            } else {
                self.enqueue(event, until);
            }
        }
    }

    /// The store could not be asked.
    pub fn claim_failed(&mut self, now: Now, jitter: f64) {
        self.claim_rows = 0;
        self.claim_at = now + self.limits.outage.delay(self.claim_failures, jitter);
        self.claim_failures = self.claim_failures.saturating_add(1);
    }

    /// The events to publish at this moment. Exactly one [`Plan::settled`] follows for each.
    pub fn take(&mut self, now: Now) -> Vec<OutboxEvent> {
        if now < self.paused_until {
            return Vec::new();
        }
        self.requeue_due(now);
        let mut taken = Vec::new();
        while self.in_flight.len() < self.window() {
            let Some(held) = self.queue.pop_front() else {
                break;
            };
            let event_id = held.event.event_id;
            if now >= held.until {
                self.known.remove(&event_id);
                continue;
            }
            taken.push(held.event.clone());
            self.in_flight.insert(event_id, held);
        }
        taken
    }

    /// One publish ended. An id that is not in flight is ignored.
    pub fn settled(&mut self, id: Uuid, outcome: &PublishOutcome, now: Now, jitter: f64) {
        let Some(mut held) = self.in_flight.remove(&id) else {
            return;
        };
        match outcome {
            PublishOutcome::Published => {
                self.bus_failures = 0;
                self.known.remove(&id);
                self.remembered.insert(id);
                self.push_mark(id, now);
            }
            PublishOutcome::Unavailable => {
                // To the back: should it be this event after all, another one finds out next time.
                self.queue.push_back(held);
                // The rest of a window that fails together is one failure, not sixty-four.
                if now >= self.paused_until {
                    self.paused_until = now + self.limits.outage.delay(self.bus_failures, jitter);
                    self.bus_failures = self.bus_failures.saturating_add(1);
                }
            }
            PublishOutcome::Refused(_) => {
                self.bus_failures = 0;
                let at = now + self.limits.retry.delay(held.refusals, jitter);
                held.refusals = held.refusals.saturating_add(1);
                self.retries.push(Retry { held, at });
            }
        }
    }

    /// A group of published ids to hand over, when it is full or old enough; `None` otherwise. Follow with
    /// [`Plan::marks_not_taken`] if nobody took it.
    pub fn take_marks(&mut self, now: Now) -> Option<Vec<Uuid>> {
        let due = self.marks.len() >= self.limits.marks_max
            || (!self.marks.is_empty() && now >= self.marks_since + self.limits.marks_linger);
        if !due {
            return None;
        }
        let count = self.marks.len().min(self.limits.marks_max);
        self.marks_since = now;
        Some(self.marks.drain(..count).collect())
    }

    /// The group was not taken: it comes again after a linger. Beyond the memory's bound the oldest are dropped; their rows
    /// are claimed again and marked then.
    pub fn marks_not_taken(&mut self, ids: Vec<Uuid>, now: Now) {
        self.marks_since = now;
        for id in ids.into_iter().rev() {
            self.marks.push_front(id);
        }
        let excess = self.marks.len().saturating_sub(self.limits.remembered_max);
        self.marks.drain(..excess);
    }

    /// All that is published and not marked, regardless of group and age: for the moment of stopping.
    pub fn drain_marks(&mut self) -> Vec<Uuid> {
        self.marks.drain(..).collect()
    }

    /// When the plan wants to be asked again if nothing happens before. After everything was taken at `now` it lies after
    /// `now`, so whoever follows it never spins.
    #[must_use]
    pub fn next_wake(&self) -> Option<Now> {
        let publish = if self.in_flight.len() >= self.window() {
            // The next answer wakes; every publish has one.
            None
        } else if self.queue.is_empty() {
            self.retries.iter().map(|retry| retry.at).min()
        } else {
            Some(self.paused_until)
        };
        let claim = (self.claimable() > 0).then_some(self.claim_at);
        let marks = (!self.marks.is_empty()).then(|| self.marks_since + self.limits.marks_linger);
        let bus = [publish, claim]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.paused_until));
        [bus, marks].into_iter().flatten().min()
    }

    /// What the plan holds.
    #[must_use]
    pub fn depth(&self) -> PlanDepth {
        PlanDepth {
            queued: self.queue.len(),
            in_flight: self.in_flight.len(),
            retrying: self.retries.len(),
            unmarked: self.marks.len(),
            bus_away: self.bus_failures > 0,
        }
    }

    /// Places for publishes. After a failure of the bus one event goes ahead: it finds out whether the bus answers.
    fn window(&self) -> usize {
        if self.bus_failures > 0 {
            1
        } else {
            self.limits.window
        }
    }

    /// Rows that a claim may bring at this moment; 0 = none is wanted. While the bus is away and something waits for it
    /// anyway, leases are left to replicas that reach the bus. A small claim costs as much as a large one, so it waits
    /// until there is room for half of one.
    fn claimable(&self) -> usize {
        if self.claim_rows > 0 || (self.bus_failures > 0 && !self.known.is_empty()) {
            return 0;
        }
        let rows_max = self.limits.claim_rows_max.min(self.limits.held_max);
        let room = self
            .limits
            .held_max
            .saturating_sub(self.known.len())
            .min(rows_max);
        if room >= rows_max.div_ceil(2) {
            room
        } else {
            0
        }
    }

    fn enqueue(&mut self, event: OutboxEvent, until: Now) {
        self.known.insert(event.event_id);
        self.queue.push_back(Held {
            event,
            until,
            refusals: 0,
        });
    }

    fn push_mark(&mut self, id: Uuid, now: Now) {
        if self.marks.is_empty() {
            self.marks_since = now;
        }
        self.marks.push_back(id);
    }

    /// A row that we hold already was claimed by us: it is ours for longer.
    fn extend(&mut self, id: Uuid, until: Now) {
        let queued = self
            .queue
            .iter_mut()
            .chain(self.retries.iter_mut().map(|retry| &mut retry.held));
        if let Some(held) = self
            .in_flight
            .get_mut(&id)
            .or_else(|| queued.into_iter().find(|held| held.event.event_id == id))
        {
            held.until = held.until.max(until);
        }
    }

    fn forget_lapsed(&mut self, now: Now) {
        let known = &mut self.known;
        let mut keep = |held: &Held| {
            let holds = now < held.until;
            if !holds {
                known.remove(&held.event.event_id);
            }
            holds
        };
        self.queue.retain(&mut keep);
        self.retries.retain(|retry| keep(&retry.held));
    }

    fn requeue_due(&mut self, now: Now) {
        if self.retries.is_empty() {
            return;
        }
        let (due, later): (Vec<Retry>, Vec<Retry>) =
            self.retries.drain(..).partition(|retry| retry.at <= now);
        self.retries = later;
        self.queue.extend(due.into_iter().map(|retry| retry.held));
    }
}
