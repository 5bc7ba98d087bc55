//! What the processor is told, what it tells itself, and its numbers.

use std::time::Duration;

use actor_kit::{Generation, Permit, Reply, TaskPanicked};

use crate::change::{FollowUp, Work};
use crate::errand::Next;
use crate::ledger::BooksUnavailable;
use crate::payment::{Payment, PaymentId};

/// The processor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessorLimits {
    /// Charge calls at once: enough that some hanging calls leave room, few enough for a provider's connection limits.
    pub charges_in_flight: usize,
    /// Look-up calls at once; a lane of their own, so that hanging charges cannot keep their own resolution waiting.
    pub look_ups_in_flight: usize,
    /// Refund calls at once.
    pub refunds_in_flight: usize,
    /// Payments in memory: running, queued or resting. Beyond it the rows wait for a claim.
    pub held_max: usize,
    /// Pause between claims: how late the net catches what the hand-over lost.
    pub poll_every: Duration,
    /// How long a stopping processor waits for the calls in flight; most take milliseconds, the others are looked up later.
    pub drain_deadline: Duration,
}

impl Default for ProcessorLimits {
    fn default() -> Self {
        Self {
            charges_in_flight: 256,
            look_ups_in_flight: 32,
            refunds_in_flight: 32,
            held_max: 2_048,
            poll_every: Duration::from_secs(1),
            drain_deadline: Duration::from_secs(3),
        }
    }
}

/// What the processor can be told.
#[derive(Debug)]
pub enum ProcessorMsg {
    /// Work that a commit has just made due. Send with `try_send`: what does not fit is claimed.
    HandOver {
        /// The row as committed.
        payment: Box<Payment>,
        /// What to do and when.
        follow_up: FollowUp,
    },
    /// Asks what is in memory.
    Inspect {
        /// Takes the answer.
        reply: Reply<Depth>,
    },
    /// What the processor tells itself.
    Own(OwnMsg),
}

/// What is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Payments running, queued or resting.
    pub held: usize,
    /// Provider calls running, with their writes.
    pub running: usize,
}

/// A message of the processor to itself; nobody else can make one.
#[derive(Debug)]
pub struct OwnMsg(pub(super) Own);

#[derive(Debug)]
pub(super) enum Own {
    /// Time to claim.
    Poll(Generation),
    /// The claim came back.
    Claimed(Result<Vec<Payment>, BooksUnavailable>),
    /// A payment has rested long enough.
    Ripe(Box<Job>),
    /// An errand has ended.
    Ended {
        id: PaymentId,
        work: Work,
        next: Result<Next, TaskPanicked>,
    },
}

/// A payment in a queue, with its place in the mailbox if it came through there.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) payment: Payment,
    pub(super) work: Work,
    pub(super) permit: Option<Permit>,
}
