//! The numbers of the plan, and what it tells about itself.

use std::time::Duration;

use actor_kit::Backoff;

/// The numbers of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanLimits {
    /// Publishes in flight. About 64 keeps the bus busy over a millisecond's round trip; more only lengthens the tail.
    pub window: usize,
    /// Events in memory, in flight included. Beyond it a hand-over is dropped: the rows are safe and are claimed later.
    pub held_max: usize,
    /// Rows per claim: four windows, so that claiming overlaps with publishing.
    pub claim_rows_max: usize,
    /// Age from which rows are claimed; younger ones are on their way through memory. Also how long a handed-over event
    /// is held.
    pub claim_min_age: Duration,
    /// Lease of a claim. Longer than any round of retries, short enough that a dead replica's rows do not wait long.
    pub claim_lease: Duration,
    /// Pause between claims that found less than they asked for.
    pub poll_every: Duration,
    /// Retry of one refused event.
    pub retry: Backoff,
    /// Pause while the bus or the store is away.
    pub outage: Backoff,
    /// Marks are handed over when so many are there …
    pub marks_max: usize,
    /// … or when the oldest waited this long: a fraction of the writer's own lazy wait.
    pub marks_linger: Duration,
    /// Published ids remembered, to tell a lost mark from a new row.
    pub remembered_max: usize,
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self {
            window: 64,
            held_max: 1_024,
            claim_rows_max: 256,
            claim_min_age: Duration::from_secs(2),
            claim_lease: Duration::from_secs(30),
            poll_every: Duration::from_secs(1),
            retry: Backoff {
                base: Duration::from_millis(200),
                cap: Duration::from_secs(10),
            },
            outage: Backoff {
                base: Duration::from_millis(100),
                cap: Duration::from_secs(5),
            },
            marks_max: 64,
            marks_linger: Duration::from_millis(20),
            remembered_max: 8_192,
        }
    }
}

/// Counters of what the plan holds, for operators and tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanDepth {
    /// Waiting for a place in the window.
    pub queued: usize,
    /// Published, not answered.
    pub in_flight: usize,
    /// Refused, waiting for their retry.
    pub retrying: usize,
    /// Published, mark not handed over.
    pub unmarked: usize,
    /// The bus did not answer last time.
    pub bus_away: bool,
}
