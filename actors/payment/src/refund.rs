//! The changes that giving money back makes.

use std::time::Duration;

use crate::change::{
    Change, FollowUp, PaymentEvent, RefundRecord, RefundRecordState, Tally, Wake, Work,
};
use crate::charge::{next_version, write};
use crate::event::RefundOutcome;
use crate::payment::{Payment, RefundState};
use crate::policy::Policy;
use crate::rules::{Decision, Ignored, Illegal, Refusal};

/// Puts the first refund attempt into a change that makes a refund due.
pub(crate) fn begin(change: &mut Change, policy: &Policy) {
    next_attempt(change, Duration::ZERO, policy);
}

/// The next refund attempt, under an id of its own.
fn next_attempt(change: &mut Change, after: Duration, policy: &Policy) {
    let payment = &mut change.payment;
    payment.refund = RefundState::Requested;
    payment.refund_attempt += 1;
    payment.refund_tries = 0;
    let record = record(payment, RefundRecordState::Requested, None);
    change.refunds.push(record);
    change.wake = Wake::In(after + policy.grace);
    change.follow_up = Some(FollowUp {
        work: Work::Refund,
        after,
    });
}

fn record(payment: &Payment, state: RefundRecordState, reason: Option<&str>) -> RefundRecord {
    RefundRecord {
        refund_id: payment.refund_id(payment.refund_attempt),
        attempt: payment.refund_attempt,
        state,
        reason: reason.map(str::to_owned),
    }
}

/// A refund is asked for on a captured payment.
pub(crate) fn request(payment: &Payment, policy: &Policy) -> Decision {
    match payment.refund {
        RefundState::None => {
            let mut change = next_version(payment);
            begin(&mut change, policy);
            write(change)
        }
        RefundState::Requested | RefundState::Open | RefundState::Refunded | RefundState::Stuck => {
            Decision::Ignore(Ignored::RefundKnown)
        }
    }
}

/// An operator has the refund tried once more: the next attempt, under an id of its own. Refused again, it is stuck again.
pub(crate) fn insist(payment: &Payment, expected: i64, policy: &Policy) -> Decision {
    if !payment.money_was_taken() {
        return Decision::Refuse(Refusal::NotCaptured);
    }
    if payment.version != expected {
        return Decision::Refuse(Refusal::Moved {
            now: payment.version,
            expected,
        });
    }
    match payment.refund {
        RefundState::None | RefundState::Requested | RefundState::Open | RefundState::Refunded => {
            Decision::Ignore(Ignored::RefundKnown)
        }
        RefundState::Stuck => {
            let mut change = next_version(payment);
            // It said why the refund was stuck.
            change.payment.reason = None;
            next_attempt(&mut change, Duration::ZERO, policy);
            write(change)
        }
    }
}

/// A refund is asked for on a closed payment: it answers its state. Only payments itself refunds there, after a late capture.
pub(crate) fn answer_closed(payment: &Payment) -> Decision {
    Decision::Ignore(if payment.late_capture {
        Ignored::RefundKnown
    } else {
        Ignored::Settled
    })
}

/// Before each call: it is recorded. A call that got no answer is repeated under the same id.
pub(crate) fn start(payment: &Payment, policy: &Policy, jitter: f64) -> Decision {
    match payment.refund {
        RefundState::None => Decision::Illegal(Illegal::NoRefund),
        RefundState::Refunded | RefundState::Stuck => Decision::Ignore(Ignored::RefundKnown),
        RefundState::Requested | RefundState::Open => {
            let mut change = next_version(payment);
            let pause = policy
                .refund_backoff
                .delay(u32::try_from(payment.refund_tries).unwrap_or(0), jitter);
            change.payment.refund = RefundState::Open;
            change.payment.refund_tries = payment.refund_tries.saturating_add(1);
            change
                .refunds
                .push(record(payment, RefundRecordState::Open, None));
            change.wake = Wake::In(policy.refund_deadline + pause);
            write(change)
        }
    }
}

/// A refund call ended.
pub(crate) fn end(
    payment: &Payment,
    attempt: i32,
    outcome: &RefundOutcome,
    policy: &Policy,
    jitter: f64,
) -> Decision {
    match payment.refund {
        RefundState::None => return Decision::Illegal(Illegal::NoRefund),
        RefundState::Refunded | RefundState::Stuck => {
            return Decision::Ignore(Ignored::RefundKnown);
        }
        RefundState::Requested | RefundState::Open => {}
    }
    if attempt != payment.refund_attempt {
        return Decision::Ignore(Ignored::StaleAttempt);
    }
    match outcome {
        RefundOutcome::Refunded => refunded(payment),
        RefundOutcome::Refused { reason } => refused(payment, reason, policy, jitter),
        // The wake time was set when the call was recorded.
        RefundOutcome::Unknown => Decision::Ignore(Ignored::OutcomeOpen),
    }
}

fn refunded(payment: &Payment) -> Decision {
    let mut change = next_version(payment);
    change.payment.refund = RefundState::Refunded;
    change
        .refunds
        .push(record(payment, RefundRecordState::Refunded, None));
    change.event = Some(PaymentEvent::Refunded {
        refund_id: payment.refund_id(payment.refund_attempt),
        late_capture: payment.late_capture,
    });
    change.tally = Some(Tally::Refunded);
    write(change)
}

fn refused(payment: &Payment, reason: &str, policy: &Policy, jitter: f64) -> Decision {
    let mut change = next_version(payment);
    change
        .refunds
        .push(record(payment, RefundRecordState::Refused, Some(reason)));
    if payment.refund_attempt < policy.refund_attempts_max {
        let refusals = u32::try_from(payment.refund_attempt - 1).unwrap_or(0);
        let after = policy.refund_backoff.delay(refusals, jitter);
        next_attempt(&mut change, after, policy);
    } else {
        change.payment.refund = RefundState::Stuck;
        change.payment.reason = Some(reason.to_owned());
        change.event = Some(PaymentEvent::RefundFailed {
            refund_id: payment.refund_id(payment.refund_attempt),
            reason: reason.to_owned(),
            late_capture: payment.late_capture,
        });
        change.tally = Some(Tally::Error);
    }
    write(change)
}
