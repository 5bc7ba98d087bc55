//! The changes that charging, looking up and voiding make.

use std::time::Duration;

use crate::change::{
    AttemptRecord, AttemptState, Base, Change, FollowUp, PaymentEvent, Tally, Wake, Work,
};
use crate::payment::{Payment, PaymentRequest, PaymentState, RefundState};
use crate::policy::Policy;
use crate::refund;
use crate::rules::{Decision, Ignored};

/// A change on top of `payment`: next version, nothing else different, nothing left to do.
pub(crate) fn next_version(payment: &Payment) -> Change {
    let mut next = payment.clone();
    next.version += 1;
    Change {
        base: Base::Version(payment.version),
        payment: next,
        wake: Wake::Never,
        attempt: None,
        refunds: Vec::new(),
        event: None,
        follow_up: None,
        tally: None,
    }
}

pub(crate) fn write(change: Change) -> Decision {
    Decision::Write(Box::new(change))
}

fn insert(request: &PaymentRequest, state: PaymentState, attempts_left: i32) -> Change {
    Change {
        base: Base::Absent,
        payment: Payment {
            request: request.clone(),
            state,
            reason: None,
            void_requested: state == PaymentState::Voided,
            version: 1,
            attempt: 0,
            attempts_left,
            look_ups: 0,
            late_capture: false,
            refund: RefundState::None,
            refund_attempt: 0,
            refund_tries: 0,
        },
        wake: Wake::Never,
        attempt: None,
        refunds: Vec::new(),
        event: None,
        follow_up: None,
        tally: None,
    }
}

/// The first request: a REQUESTED row, charged at once by whoever inserted it.
pub(crate) fn open(request: &PaymentRequest, policy: &Policy) -> Decision {
    let mut change = insert(request, PaymentState::Requested, policy.attempts_per_round);
    change.wake = Wake::In(policy.fresh_wake);
    change.follow_up = Some(FollowUp {
        work: Work::Charge,
        after: Duration::ZERO,
    });
    write(change)
}

/// A void before the request: the row is VOIDED from the start, so that the late request finds it.
pub(crate) fn tombstone(request: &PaymentRequest) -> Decision {
    let mut change = insert(request, PaymentState::Voided, 0);
    change.tally = Some(Tally::Voided);
    write(change)
}

/// A repeated request starts a new round when the last one is spent.
pub(crate) fn ask_again(payment: &Payment, policy: &Policy) -> Decision {
    if payment.attempts_left > 0 {
        return Decision::Ignore(Ignored::Duplicate);
    }
    let mut change = next_version(payment);
    change.payment.attempts_left = policy.attempts_per_round;
    change.wake = Wake::In(policy.grace);
    change.follow_up = Some(FollowUp {
        work: Work::Charge,
        after: Duration::ZERO,
    });
    write(change)
}

/// Before each call: the attempt is recorded and its outcome is open.
pub(crate) fn start_attempt(payment: &Payment, policy: &Policy) -> Decision {
    if payment.attempts_left <= 0 {
        return Decision::Ignore(Ignored::AttemptsSpent);
    }
    let mut change = next_version(payment);
    change.payment.state = PaymentState::Unknown;
    change.payment.attempt += 1;
    change.payment.attempts_left -= 1;
    change.attempt = Some(AttemptRecord {
        attempt: change.payment.attempt,
        state: AttemptState::Open,
    });
    change.wake = Wake::AtLeast(policy.charge_deadline + policy.grace);
    write(change)
}

/// The last attempt's record. A definite answer is about the payment's key, so it closes the last attempt whichever brought it.
fn close_attempt(payment: &Payment, state: AttemptState) -> Option<AttemptRecord> {
    (payment.attempt > 0).then_some(AttemptRecord {
        attempt: payment.attempt,
        state,
    })
}

/// Captured while the payment was still wanted.
pub(crate) fn capture(payment: &Payment) -> Decision {
    let mut change = next_version(payment);
    change.payment.state = PaymentState::Captured;
    change.attempt = close_attempt(payment, AttemptState::Captured);
    change.event = Some(PaymentEvent::Succeeded);
    change.tally = Some(Tally::Captured);
    write(change)
}

/// Captured after the row was closed without money: written together with the refund that it needs. The state stays.
pub(crate) fn late_capture(payment: &Payment, policy: &Policy) -> Decision {
    if payment.late_capture {
        return Decision::Ignore(Ignored::Settled);
    }
    let mut change = next_version(payment);
    change.payment.late_capture = true;
    change.attempt = close_attempt(payment, AttemptState::Captured);
    refund::begin(&mut change, policy);
    write(change)
}

/// Refused by the provider.
pub(crate) fn decline(payment: &Payment, reason: &str) -> Decision {
    let mut change = next_version(payment);
    change.payment.state = PaymentState::Declined;
    change.payment.reason = Some(reason.to_owned());
    change.attempt = close_attempt(payment, AttemptState::Declined);
    change.event = Some(PaymentEvent::Failed {
        reason: reason.to_owned(),
    });
    change.tally = Some(Tally::Declined);
    write(change)
}

/// The open attempt did not charge: void if asked to, else try again while the round lasts.
pub(crate) fn not_charged(
    payment: &Payment,
    attempt: i32,
    policy: &Policy,
    jitter: f64,
) -> Decision {
    if attempt != payment.attempt {
        return Decision::Ignore(Ignored::StaleAttempt);
    }
    let record = close_attempt(payment, AttemptState::NotCharged);
    if payment.void_requested {
        let mut change = voided(payment, policy);
        change.attempt = record;
        return write(change);
    }
    let mut change = next_version(payment);
    change.payment.state = PaymentState::Requested;
    change.attempt = record;
    if payment.attempts_left > 0 {
        let tried = policy.attempts_per_round - payment.attempts_left - 1;
        let after = policy
            .charge_backoff
            .delay(u32::try_from(tried).unwrap_or(0), jitter);
        change.wake = Wake::In(after + policy.grace);
        change.follow_up = Some(FollowUp {
            work: Work::Charge,
            after,
        });
    } else {
        change.tally = Some(Tally::Error);
    }
    write(change)
}

/// The open attempt ended without an answer: a look-up decides.
pub(crate) fn await_look_up(payment: &Payment, attempt: i32, policy: &Policy) -> Decision {
    if attempt != payment.attempt {
        return Decision::Ignore(Ignored::StaleAttempt);
    }
    let mut change = next_version(payment);
    change.attempt = close_attempt(payment, AttemptState::Unknown);
    change.wake = Wake::In(policy.look_up_after + policy.grace);
    change.follow_up = Some(FollowUp {
        work: Work::LookUp,
        after: policy.look_up_after,
    });
    write(change)
}

/// Void with no attempt open.
pub(crate) fn void(payment: &Payment, policy: &Policy) -> Decision {
    write(voided(payment, policy))
}

/// A void while an attempt is open is noted; the outcome decides.
pub(crate) fn note_void(payment: &Payment) -> Decision {
    if payment.void_requested {
        return Decision::Ignore(Ignored::OutcomeOpen);
    }
    let mut change = next_version(payment);
    change.payment.void_requested = true;
    change.wake = Wake::AtLeast(Duration::ZERO);
    write(change)
}

/// VOIDED. With an attempt behind it the row is watched for a late capture.
fn voided(payment: &Payment, policy: &Policy) -> Change {
    let mut change = next_version(payment);
    change.payment.state = PaymentState::Voided;
    change.payment.void_requested = true;
    change.payment.attempts_left = 0;
    change.wake = watch(&change.payment, policy);
    change.tally = Some(Tally::Voided);
    change
}

/// Nothing captured so far under a voided payment: look again later, until the watch is over.
pub(crate) fn watch_on(payment: &Payment, look_up: i32, policy: &Policy) -> Decision {
    let over = payment.attempt == 0 || policy.voided_look_up(payment.look_ups).is_none();
    if payment.late_capture || over {
        return Decision::Ignore(Ignored::Settled);
    }
    if look_up != payment.look_ups {
        return Decision::Ignore(Ignored::StaleAttempt);
    }
    let mut change = next_version(payment);
    change.payment.look_ups += 1;
    change.wake = watch(&change.payment, policy);
    write(change)
}

fn watch(voided: &Payment, policy: &Policy) -> Wake {
    if voided.attempt == 0 {
        return Wake::Never;
    }
    policy
        .voided_look_up(voided.look_ups)
        .map_or(Wake::Never, Wake::In)
}
