//! The rules: one match over (state, event), pure. Time is relative, jitter and ids are values.
//!
//! ```text
//!              Request            AttemptStarted
//!   (absent) ───────────► REQUESTED ◄──────────► UNKNOWN ──────► DECLINED
//!      │                      │     not charged    │  │              ┆ capture learnt late:
//!      │ Void                 │ Void               │  └─► CAPTURED   ┆ attempt + refund rows,
//!      └──────────────────────┴──► VOIDED ◄────────┘       │ Refund  ┆ the state stays
//!                                     ┆   void_requested   ▼         ▼
//!                                     └┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄► refund: REQUESTED ─► OPEN ─► REFUNDED | STUCK
//!                                                                                     ▲ RefundInsisted ┆
//!                                                                                     └┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┘
//! ```
//!
//! **Invariants.** CAPTURED, DECLINED and VOIDED never change again. An attempt starts only from REQUESTED, so at most one is open, and
//! none starts once a void was asked for. Definite answers (captured, declined) hold for the payment's key whichever attempt brought
//! them; indefinite ones count only for the last attempt. A capture is written once: as CAPTURED, or beside a closed row together with
//! the refund it needs. A row has a wake time exactly when [`resume`] names work.

use crate::change::{Change, Work};
use crate::charge;
use crate::event::{AttemptOutcome, Event, Found};
use crate::payment::{Payment, PaymentRequest, PaymentState, RefundState};
use crate::policy::Policy;
use crate::refund;

/// What an event means for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write this, then follow up.
    Write(Box<Change>),
    /// The event changes nothing; the present state is the answer.
    Ignore(Ignored),
    /// The command is refused; the caller is told.
    Refuse(Refusal),
    /// No correct sender produces this. Counts only on a freshly loaded row.
    Illegal(Illegal),
}

/// Why nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// A repeated request, or a void, for a captured payment.
    AlreadyPaid,
    /// A repeated request that met the row of an earlier one which is not settled yet.
    Duplicate,
    /// The row is closed; every command answers its state.
    Settled,
    /// An attempt is open; its outcome comes first.
    OutcomeOpen,
    /// An indefinite fact about an attempt that is not the open one.
    StaleAttempt,
    /// The round's attempts are spent; a new request starts another.
    AttemptsSpent,
    /// The refund was asked for before; its state is the answer.
    RefundKnown,
}

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The payment is known with other parameters.
    #[error("the payment is known with other parameters")]
    ParametersDiffer,
    /// Another payment holds the order.
    #[error("the order has another payment")]
    OrderTaken,
    /// There is no such payment.
    #[error("no such payment")]
    NoSuchPayment,
    /// Nothing was captured, so nothing can be given back.
    #[error("the payment is not captured")]
    NotCaptured,
    /// The row is not at the version that an operator looked at.
    #[error("the payment is at version {now}, not {expected}: look again")]
    Moved {
        /// The row's version.
        now: i64,
        /// What was looked at.
        expected: i64,
    },
}

/// What no correct sender produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Illegal {
    /// A fact about a payment that has no row.
    #[error("a fact about a payment without a row")]
    NoRow,
    /// A refund call for a payment that has no refund.
    #[error("a refund call without a refund")]
    NoRefund,
}

/// The row an event meets.
enum Row<'a> {
    Absent,
    Requested(&'a Payment),
    Unknown(&'a Payment),
    Captured(&'a Payment),
    Declined(&'a Payment),
    Voided(&'a Payment),
}

impl<'a> From<Option<&'a Payment>> for Row<'a> {
    fn from(payment: Option<&'a Payment>) -> Self {
        let Some(payment) = payment else {
            return Self::Absent;
        };
        match payment.state {
            PaymentState::Requested => Self::Requested(payment),
            PaymentState::Unknown => Self::Unknown(payment),
            PaymentState::Captured => Self::Captured(payment),
            PaymentState::Declined => Self::Declined(payment),
            PaymentState::Voided => Self::Voided(payment),
        }
    }
}

/// Decides what `event` does to `payment` (`None`: there is no row). `jitter` in 0..1 spreads retries.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one table, read from top to bottom")]
pub fn decide(payment: Option<&Payment>, event: &Event, policy: &Policy, jitter: f64) -> Decision {
    use Decision::{Ignore, Illegal as Wrong, Refuse};
    use Event as E;
    match (Row::from(payment), event) {
        // From nothing.
        (Row::Absent, E::Request(request)) => charge::open(request, policy),
        (Row::Absent, E::Void(request)) => charge::tombstone(request),
        (Row::Absent, E::Refund | E::RefundInsisted { .. }) => Refuse(Refusal::NoSuchPayment),
        (
            Row::Absent,
            E::AttemptStarted
            | E::AttemptEnded { .. }
            | E::LookedUp { .. }
            | E::RefundStarted
            | E::RefundEnded { .. },
        ) => Wrong(Illegal::NoRow),

        // From REQUESTED.
        (Row::Requested(p), E::Request(request)) => {
            same(p, request, || charge::ask_again(p, policy))
        }
        (Row::Requested(p), E::Void(request)) => same(p, request, || charge::void(p, policy)),
        (Row::Requested(p), E::AttemptStarted) => charge::start_attempt(p, policy),
        (Row::Requested(p), E::AttemptEnded { outcome, .. }) => match outcome {
            AttemptOutcome::Captured => charge::capture(p),
            AttemptOutcome::Declined { reason } => charge::decline(p, reason),
            AttemptOutcome::NotCharged | AttemptOutcome::Unknown => Ignore(Ignored::StaleAttempt),
        },
        (Row::Requested(p), E::LookedUp { found, .. }) => match found {
            Found::Charged => charge::capture(p),
            Found::NotCharged => Ignore(Ignored::StaleAttempt),
        },

        // From UNKNOWN.
        (Row::Unknown(p), E::Request(request)) => same(p, request, || Ignore(Ignored::Duplicate)),
        (Row::Unknown(p), E::Void(request)) => same(p, request, || charge::note_void(p)),
        (Row::Unknown(_), E::AttemptStarted) => Ignore(Ignored::OutcomeOpen),
        (Row::Unknown(p), E::AttemptEnded { attempt, outcome }) => match outcome {
            AttemptOutcome::Captured => charge::capture(p),
            AttemptOutcome::Declined { reason } => charge::decline(p, reason),
            AttemptOutcome::NotCharged => charge::not_charged(p, *attempt, policy, jitter),
            AttemptOutcome::Unknown => charge::await_look_up(p, *attempt, policy),
        },
        (Row::Unknown(p), E::LookedUp { attempt, found, .. }) => match found {
            Found::Charged => charge::capture(p),
            Found::NotCharged => charge::not_charged(p, *attempt, policy, jitter),
        },

        // From either: nothing was taken that could be given back.
        (Row::Requested(_) | Row::Unknown(_), E::Refund | E::RefundInsisted { .. }) => {
            Refuse(Refusal::NotCaptured)
        }
        (Row::Requested(_) | Row::Unknown(_), E::RefundStarted | E::RefundEnded { .. }) => {
            Wrong(Illegal::NoRefund)
        }

        // From CAPTURED.
        (Row::Captured(p), E::Request(request) | E::Void(request)) => {
            same(p, request, || Ignore(Ignored::AlreadyPaid))
        }
        (Row::Captured(p), E::Refund) => refund::request(p, policy),
        (Row::Captured(_), E::AttemptStarted | E::AttemptEnded { .. } | E::LookedUp { .. }) => {
            Ignore(Ignored::Settled)
        }

        // From DECLINED and VOIDED: closed for orders, not yet for the provider's money.
        (Row::Declined(p) | Row::Voided(p), E::Request(request) | E::Void(request)) => {
            same(p, request, || Ignore(Ignored::Settled))
        }
        (Row::Declined(p) | Row::Voided(p), E::Refund) => refund::answer_closed(p),
        (Row::Declined(_) | Row::Voided(_), E::AttemptStarted) => Ignore(Ignored::Settled),
        (Row::Declined(p) | Row::Voided(p), E::AttemptEnded { outcome, .. }) => match outcome {
            AttemptOutcome::Captured => charge::late_capture(p, policy),
            AttemptOutcome::Declined { .. }
            | AttemptOutcome::NotCharged
            | AttemptOutcome::Unknown => Ignore(Ignored::Settled),
        },
        (Row::Declined(p), E::LookedUp { found, .. }) => match found {
            Found::Charged => charge::late_capture(p, policy),
            Found::NotCharged => Ignore(Ignored::Settled),
        },
        (Row::Voided(p), E::LookedUp { look_up, found, .. }) => match found {
            Found::Charged => charge::late_capture(p, policy),
            Found::NotCharged => charge::watch_on(p, *look_up, policy),
        },

        // Refunds go on in the same way wherever money was taken.
        (Row::Captured(p) | Row::Declined(p) | Row::Voided(p), E::RefundInsisted { version }) => {
            refund::insist(p, *version, policy)
        }
        (Row::Captured(p) | Row::Declined(p) | Row::Voided(p), E::RefundStarted) => {
            refund::start(p, policy, jitter)
        }
        (
            Row::Captured(p) | Row::Declined(p) | Row::Voided(p),
            E::RefundEnded { attempt, outcome },
        ) => refund::end(p, *attempt, outcome, policy, jitter),
    }
}

/// The frozen parameters come before everything else.
fn same(payment: &Payment, request: &PaymentRequest, then: impl FnOnce() -> Decision) -> Decision {
    if payment.request.same_parameters(request) {
        then()
    } else {
        Decision::Refuse(Refusal::ParametersDiffer)
    }
}

/// What is to be done for a payment as it stands, after a crash as much as after a claim. `None`: nothing.
#[must_use]
pub fn resume(payment: &Payment, policy: &Policy) -> Option<Work> {
    match payment.state {
        PaymentState::Requested => (payment.attempts_left > 0).then_some(Work::Charge),
        PaymentState::Unknown => Some(Work::LookUp),
        PaymentState::Captured => resume_refund(payment),
        PaymentState::Declined => resume_refund(payment),
        PaymentState::Voided if payment.late_capture => resume_refund(payment),
        PaymentState::Voided => (payment.attempt > 0
            && policy.voided_look_up(payment.look_ups).is_some())
        .then_some(Work::LookUp),
    }
}

fn resume_refund(payment: &Payment) -> Option<Work> {
    match payment.refund {
        RefundState::Requested | RefundState::Open => Some(Work::Refund),
        RefundState::None | RefundState::Refunded | RefundState::Stuck => None,
    }
}
