//! The numbers of the payment rules, each with its reason.

use std::time::Duration;

use actor_kit::Backoff;

/// Deadlines, budgets and schedules. Plain values: tests shrink them, a service may configure them.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How long one charge call may take. Longer than a provider's slow day, shorter than a customer's patience.
    pub charge_deadline: Duration,
    /// How long one look-up may take: a read, so shorter.
    pub look_up_deadline: Duration,
    /// How long one refund call may take.
    pub refund_deadline: Duration,
    /// How long the replica that holds a payment in memory goes first, before sweeps may claim the row.
    pub grace: Duration,
    /// When a sweep looks at a new request whose hand-over got lost. Longer than `charge_deadline + grace`, so that on the happy path
    /// the wake time does not change between the insert and the attempt.
    pub fresh_wake: Duration,
    /// How far a claim moves the wake time: covers one call of any kind and its writes.
    pub claim_lease: Duration,
    /// Charge attempts that end in "not charged" before the payment waits to be asked again: a few seconds of trying.
    pub attempts_per_round: i32,
    /// Pause between charge attempts.
    pub charge_backoff: Backoff,
    /// Pause between a call without an answer and its look-up: the provider may still be writing.
    pub look_up_after: Duration,
    /// Look-ups of a voided payment that had an attempt, each after the one before: together they watch for a late capture for 24 h, closely at first.
    pub voided_look_ups: Vec<Duration>,
    /// Definite refusals before a refund is stuck: a provider that refuses so often means it.
    pub refund_attempts_max: i32,
    /// Pause between refund calls.
    pub refund_backoff: Backoff,
}

impl Default for Policy {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            charge_deadline: Duration::from_secs(5),
            look_up_deadline: Duration::from_secs(3),
            refund_deadline: Duration::from_secs(5),
            grace: Duration::from_secs(2),
            fresh_wake: Duration::from_secs(10),
            claim_lease: Duration::from_secs(15),
            attempts_per_round: 5,
            charge_backoff: Backoff {
                base: Duration::from_millis(200),
                cap: Duration::from_secs(5),
            },
            look_up_after: Duration::from_millis(500),
            voided_look_ups: [10, MINUTE, 10 * MINUTE, 60 * MINUTE, 6 * 60 * MINUTE]
                .into_iter()
                .chain([17 * 60 * MINUTE])
                .map(Duration::from_secs)
                .collect(),
            refund_attempts_max: 5,
            refund_backoff: Backoff {
                base: Duration::from_millis(500),
                cap: Duration::from_secs(60),
            },
        }
    }
}

impl Policy {
    /// The pause before the look-up that follows `done` look-ups of a voided payment; `None` when the watch is over.
    #[must_use]
    pub fn voided_look_up(&self, done: i32) -> Option<Duration> {
        let done = usize::try_from(done).ok()?;
        self.voided_look_ups.get(done).copied()
    }
}
