//! The payment ledger: the one way to write payments, and the loop that decides on the row as it really is.
//!
//! ```text
//!   apply(row?, event):  decide ─ Write ─► ledger ─ Written ─► done
//!                          ▲                  │
//!                          └──── Stale(row) ──┘      no row known: a Request or Void is tried as an insert first
//! ```
//!
//! The ledger actor is a [`BatchWriter`](actor_kit::batch::BatchWriter) over a store with [`LedgerEntry`] and [`LedgerAnswer`]; services
//! implement the store. A write that comes too late writes nothing and brings back the row, so a decision never rests on a stale row:
//! `Illegal` and `Ignore` are final only for rows that the database has just returned or that this process has just written.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actor_kit::batch::{self, BatchEntry, Lane, WriteError, WriterMsg};
use actor_kit::{AskError, Mailbox, TraceContext};
use tracing::{error, warn};
use uuid::Uuid;

use crate::change::{Base, Change};
use crate::event::Event;
use crate::metrics;
use crate::payment::{Payment, PaymentId};
use crate::policy::Policy;
use crate::rules::{Decision, Ignored, Refusal, decide};

/// How often one event is decided anew because the row had moved. Each round means that somebody else made progress.
const ROUNDS_MAX: u32 = 16;

/// One entry of the ledger.
#[derive(Clone, Debug)]
pub enum LedgerEntry {
    /// A decided change.
    Change(Box<Recorded>),
    /// Outbox events that were published. Nobody waits for the answer.
    Published(Vec<Uuid>),
}

/// A change with the ids of its write.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What to write.
    pub change: Change,
    /// Kept in the row: after an unknown commit it tells whose write the row carries.
    pub write_id: Uuid,
    /// Id of the change's event, when it has one.
    pub event_id: Uuid,
    /// Where the change was decided; events and commit spans continue it.
    pub trace: TraceContext,
}

impl BatchEntry for LedgerEntry {
    type Key = PaymentId;

    fn order_id(&self) -> Option<i64> {
        match self {
            Self::Change(recorded) => Some(recorded.change.payment.request.order_id.0),
            Self::Published(_) => None,
        }
    }

    fn key(&self) -> Option<PaymentId> {
        match self {
            Self::Change(recorded) => Some(recorded.change.payment.id()),
            Self::Published(_) => None,
        }
    }

    fn rows(&self) -> usize {
        match self {
            Self::Change(recorded) => {
                let change = &recorded.change;
                1 + usize::from(change.attempt.is_some())
                    + change.refunds.len()
                    + usize::from(change.event.is_some())
            }
            Self::Published(ids) => ids.len(),
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Change(recorded) => match recorded.change.base {
                Base::Absent => Lane::Accept,
                Base::Version(_) => Lane::Continuation,
            },
            Self::Published(_) => Lane::Lazy,
        }
    }
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerAnswer {
    /// Committed, now or by an earlier try of the same write.
    Written,
    /// Nothing was written: this is the row (`None`: there is none).
    Stale(Option<Box<Payment>>),
    /// Nothing was written: another payment holds the order.
    OrderTaken,
    /// Nothing was written: the row is in a state that this program does not know. A newer one may be able to carry on.
    Unreadable,
}

/// The message type of the ledger's mailbox.
pub type LedgerMsg = WriterMsg<LedgerEntry, LedgerAnswer>;

/// The books did not answer; the text is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the payment books cannot be read: {0}")]
pub struct BooksUnavailable(pub String);

/// How much due work to claim, by lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Payments to charge, at most.
    pub charges_max: usize,
    /// Payments to look up, at most.
    pub look_ups_max: usize,
    /// Payments to refund, at most.
    pub refunds_max: usize,
    /// How far their wake time moves, so that nobody else claims them meanwhile.
    pub lease: Duration,
}

/// Reading the payments.
pub trait PaymentBooks: Send + Sync + 'static {
    /// The payments with these ids that exist, in any order.
    ///
    /// # Errors
    /// [`BooksUnavailable`] when the database cannot be asked.
    fn load(
        &self,
        ids: &[PaymentId],
    ) -> impl Future<Output = Result<Vec<Payment>, BooksUnavailable>> + Send;

    /// Claims payments whose wake time has come by the database's clock, by moving it. A claim is no right: writes are versioned.
    ///
    /// # Errors
    /// [`BooksUnavailable`] when the database cannot be asked.
    fn claim_due(
        &self,
        claim: Claim,
    ) -> impl Future<Output = Result<Vec<Payment>, BooksUnavailable>> + Send;
}

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The change is committed.
    Written(Box<Change>),
    /// Nothing changed; the row as it is.
    Ignored(Ignored, Box<Payment>),
    /// The command is refused.
    Refused(Refusal),
}

/// Why an event was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The ledger or its database does not answer, and the write may still have happened; or only a newer program understands the row.
    #[error("the payment ledger is not available")]
    Unavailable,
    /// The ledger has no free place; nothing was written.
    #[error("the payment ledger is full")]
    Overloaded,
    /// The database refuses these very values, or the event makes no sense for the row: repeating does not help.
    #[error("the payment command cannot be carried out")]
    Poisoned,
}

/// The way to the ledger actor. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    mailbox: Mailbox<LedgerMsg>,
    policy: Arc<Policy>,
    write_deadline: Duration,
}

impl Ledger {
    /// `write_deadline` bounds one write, its wait in the queue included.
    #[must_use]
    pub fn new(mailbox: Mailbox<LedgerMsg>, policy: Arc<Policy>, write_deadline: Duration) -> Self {
        metrics::born();
        Self {
            mailbox,
            policy,
            write_deadline,
        }
    }

    /// The rules' numbers.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Applies `event` to a payment of which `known` is the last seen row (`None`: nothing is known).
    ///
    /// # Errors
    /// [`ApplyError`].
    pub async fn apply(
        &self,
        known: Option<Payment>,
        event: &Event,
    ) -> Result<Applied, ApplyError> {
        let mut row = known;
        for _ in 0..ROUNDS_MAX {
            let change = match decide(row.as_ref(), event, &self.policy, rand::random()) {
                Decision::Write(change) => change,
                Decision::Refuse(refusal) => {
                    if refusal == Refusal::ParametersDiffer {
                        metrics::parameters_differ();
                    }
                    return Ok(Applied::Refused(refusal));
                }
                Decision::Ignore(reason) => {
                    return row
                        .map(|row| Applied::Ignored(reason, Box::new(row)))
                        .ok_or(ApplyError::Poisoned);
                }
                Decision::Illegal(reason) => {
                    metrics::illegal_event();
                    error!(%reason, "an event that no correct sender produces");
                    return Err(ApplyError::Poisoned);
                }
            };
            match self.write(&change).await? {
                LedgerAnswer::Written => return Ok(Applied::Written(change)),
                LedgerAnswer::OrderTaken => return Ok(Applied::Refused(Refusal::OrderTaken)),
                LedgerAnswer::Stale(found) => row = found.map(|found| *found),
                LedgerAnswer::Unreadable => return Err(ApplyError::Unavailable),
            }
        }
        warn!("a payment row kept moving while an event was applied");
        Err(ApplyError::Unavailable)
    }

    async fn write(&self, change: &Change) -> Result<LedgerAnswer, ApplyError> {
        let entry = LedgerEntry::Change(Box::new(Recorded {
            change: change.clone(),
            write_id: Uuid::new_v4(),
            event_id: Uuid::now_v7(),
            trace: TraceContext::current(),
        }));
        batch::write(&self.mailbox, self.write_deadline, entry)
            .await
            .map_err(|error| match error {
                WriteError::Poisoned => ApplyError::Poisoned,
                WriteError::Ask(AskError::Full) => ApplyError::Overloaded,
                WriteError::Unavailable | WriteError::Ask(AskError::Gone | AskError::Timeout) => {
                    ApplyError::Unavailable
                }
            })
    }
}
