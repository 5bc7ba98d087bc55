//! What sagas say and hear: their commands, their events for everybody, and everything that can happen to them.

use order_saga::Order;
use order_saga::saga::{
    CancelReason, CommitAnswer, OrderEvent, RefundAnswer, ReleaseAnswer, RequestAnswer,
    ReserveAnswer, Resolution, SagaEvent, VoidAnswer, VoidCause, VolatileEffect,
};

use crate::glue;

/// The commands that a saga sends, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Command {
    Reserve = 1,
    Release = 2,
    Commit = 4,
    Request = 8,
    Void = 16,
    Refund = 32,
}

impl Command {
    pub(crate) const ALL: [Self; 6] = [
        Self::Reserve,
        Self::Release,
        Self::Commit,
        Self::Request,
        Self::Void,
        Self::Refund,
    ];

    const fn of(effect: VolatileEffect) -> Option<Self> {
        match effect {
            VolatileEffect::AskReserve => Some(Self::Reserve),
            VolatileEffect::AskRelease => Some(Self::Release),
            VolatileEffect::AskCommit => Some(Self::Commit),
            VolatileEffect::RequestPayment => Some(Self::Request),
            VolatileEffect::VoidPayment => Some(Self::Void),
            VolatileEffect::RefundPayment => Some(Self::Refund),
            VolatileEffect::Alert => None,
        }
    }
}

/// The set of commands in these effects.
pub(crate) fn commands(effects: &[VolatileEffect]) -> u8 {
    let bits = effects.iter().copied().filter_map(Command::of);
    bits.fold(0, |set, command| set | command as u8)
}

/// The events that orders publishes, a bit each.
pub(crate) mod told {
    pub(crate) const CREATED: u8 = 1;
    pub(crate) const PAID: u8 = 2;
    pub(crate) const REJECTED: u8 = 4;
    pub(crate) const CANCELLED: u8 = 8;
    pub(crate) const REFUNDED: u8 = 16;
}

pub(crate) const fn told_by(event: &OrderEvent) -> u8 {
    match event {
        OrderEvent::Created { .. } => told::CREATED,
        OrderEvent::Paid { .. } => told::PAID,
        OrderEvent::Rejected { .. } => told::REJECTED,
        OrderEvent::Cancelled { .. } => told::CANCELLED,
        OrderEvent::Refunded { .. } => told::REFUNDED,
    }
}

pub(crate) const fn poison() -> SagaEvent {
    SagaEvent::HandlingPanicked { times: 3 }
}

/// What operators can say about the money of an order that was set aside.
pub(crate) const RESOLUTIONS: [Resolution; 3] = [
    Resolution::Cancelled,
    Resolution::Completed,
    Resolution::Refunded,
];

/// Everything that can happen to a saga.
pub(crate) fn events(order: &Order) -> Vec<SagaEvent> {
    let payment_id = order.ids.payment_id;
    let declined = || "declined".to_owned();
    let refused = || "refused".to_owned();
    let mut events = vec![
        SagaEvent::DeadlinePassed,
        SagaEvent::CancelRequested,
        SagaEvent::RefundRequested,
        poison(),
        SagaEvent::OperatorRetried,
        SagaEvent::OperatorCompensated,
        SagaEvent::PaymentSucceeded { payment_id },
        SagaEvent::PaymentFailed {
            payment_id,
            reason: declined(),
        },
    ];
    events.extend(RESOLUTIONS.map(SagaEvent::OperatorResolved));
    for late_capture in [false, true] {
        events.push(SagaEvent::PaymentRefunded {
            payment_id,
            late_capture,
        });
        events.push(SagaEvent::RefundFailed {
            payment_id,
            reason: refused(),
            late_capture,
        });
    }
    let answers = [
        ReserveAnswer::Held(glue::quote()),
        ReserveAnswer::Refused(glue::refusal()),
        ReserveAnswer::Released,
        ReserveAnswer::Committed,
    ];
    events.extend(answers.map(SagaEvent::ReserveAnswered));
    let answers = [ReleaseAnswer::Released, ReleaseAnswer::Committed];
    events.extend(answers.map(SagaEvent::ReleaseAnswered));
    let answers = [
        CommitAnswer::Committed,
        CommitAnswer::Released,
        CommitAnswer::Refused,
    ];
    events.extend(answers.map(SagaEvent::CommitAnswered));
    let answers = [
        RequestAnswer::Requested,
        RequestAnswer::Captured,
        RequestAnswer::Declined(declined()),
        RequestAnswer::Voided,
        RequestAnswer::Unknown,
        RequestAnswer::Mismatch,
    ];
    events.extend(answers.map(SagaEvent::RequestAnswered));
    let answers = [
        VoidAnswer::Voided,
        VoidAnswer::Declined(declined()),
        VoidAnswer::Captured,
        VoidAnswer::Unknown,
        VoidAnswer::Mismatch,
    ];
    events.extend(answers.map(SagaEvent::VoidAnswered));
    let answers = [
        RefundAnswer::Pending,
        RefundAnswer::Refunded,
        RefundAnswer::Refused(refused()),
        RefundAnswer::NotCaptured,
    ];
    events.extend(answers.map(SagaEvent::RefundAnswered));
    events
}

/// Why an order was, or is to be, cancelled, in a word.
pub(crate) const fn why(cause: VoidCause) -> &'static str {
    match cause {
        VoidCause::PaymentTimeout => CancelReason::PaymentTimeout.as_str(),
        VoidCause::UserRequested => CancelReason::UserRequested.as_str(),
        VoidCause::Operator => CancelReason::Operator.as_str(),
    }
}
