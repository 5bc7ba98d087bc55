//! Every number of this crate, with its reason.

use std::time::Duration;

use actor_kit::Backoff;

/// How long, how often, how many. A service may replace each value; tests shorten them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SagaLimits {
    /// How long one call to inventory may take, retries inside the client included. A healthy one answers in milliseconds; the caller of
    /// Create waits for this one, and 2 s is where people start to press the button again.
    pub inventory_call: Duration,
    /// How long one call to payments may take. Nobody waits for it; it only bounds how long an answer is expected.
    pub payments_call: Duration,
    /// How long one journal write may take before its outcome counts as unknown to the asker. Longer than the writer's own repeats, so
    /// that it is the writer who decides.
    pub journal_write: Duration,
    /// The first deadline of an accepted order, well past the happy path: an order that goes well never moves its deadline.
    pub first_deadline: Duration,
    /// The first deadline of a void. It may meet an attempt whose outcome is open, which usually settles within milliseconds, and a
    /// customer who cancelled is watching.
    pub void_deadline: Duration,
    /// The deadlines after that, while the same step waits. The cap bounds how long a healed neighbour goes unnoticed.
    pub backoff: Backoff,
    /// How many deadlines Reserve may miss. With the values above about half a minute: longer outages are better told to the customer
    /// by a cancelled order than by a pending one.
    pub reserve_deadlines_max: u32,
    /// How many deadlines a payment may miss before it is voided; about a minute, as long as a customer watches the page.
    pub payment_deadlines_max: u32,
    /// From how many missed deadlines on a step that may not give up alerts: by then it has hung for about half a minute.
    pub alert_deadlines: u32,
    /// How often the handling of one order may panic before its saga is set aside as STUCK(poison): twice may be a passing fault.
    pub panics_max: u32,
    /// How long the registry remembers that an order's coordinator crashed.
    pub panics_memory: Duration,
    /// Places in a coordinator's mailbox. An order has a handful of senders; 64 leaves room for one impatient customer.
    pub coordinator_mailbox: usize,
    /// How many may wait on one order on this replica (create callers, `Prefer: wait`, streams).
    pub waiters_per_order: usize,
    /// How long the registry may take to say whether a coordinator may retire; a busy one takes milliseconds.
    pub retire_answer: Duration,
    /// How soon a coordinator asks again to retire when the registry had no place for the question.
    pub retire_again: Duration,
    /// How often due sagas are looked for: the granularity of every deadline.
    pub sweep_every: Duration,
    /// How many due sagas one sweep claims; the next sweep follows at once when it was full.
    pub sweep_batch: usize,
    /// How far a claim moves `wake_at`: when the claimer dies, another replica takes the saga after this time.
    pub sweep_lease: Duration,
    /// How many claimed sagas may be in hand before the sweeper pauses: bounds what one replica takes after an outage.
    pub sweep_in_hand_max: usize,
    /// How often the versions of locally awaited orders are compared with the database: what a caller loses when the hint is lost.
    pub tail_every: Duration,
}

impl Default for SagaLimits {
    fn default() -> Self {
        Self {
            inventory_call: Duration::from_secs(2),
            payments_call: Duration::from_secs(5),
            journal_write: Duration::from_secs(30),
            first_deadline: Duration::from_secs(5),
            void_deadline: Duration::from_millis(500),
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
            },
            reserve_deadlines_max: 5,
            payment_deadlines_max: 6,
            alert_deadlines: 5,
            panics_max: 3,
            panics_memory: Duration::from_secs(600),
            coordinator_mailbox: 64,
            waiters_per_order: 32,
            retire_answer: Duration::from_secs(5),
            retire_again: Duration::from_millis(50),
            sweep_every: Duration::from_secs(1),
            sweep_batch: 256,
            sweep_lease: Duration::from_secs(10),
            sweep_in_hand_max: 1024,
            tail_every: Duration::from_millis(500),
        }
    }
}
