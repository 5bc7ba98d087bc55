//! One sample of every step and every event, exhaustive by construction: each sample names its successor in a match without wildcards,
//! so a new variant does not compile until it has a place here.

use std::sync::Arc;

use actor_kit::TraceContext;
use uuid::Uuid;

use crate::ids::{CustomerId, Installation, OrderId, PaymentId, Version};
use crate::limits::SagaLimits;
use crate::model::{
    Cents, Line, Order, PaymentMethod, PricedLine, Quote, Refusal, RefusalReason, Shortage, Sku,
};
use crate::saga::{
    Call, CancelReason, CommitAnswer, Goods, Inputs, LateMoney, RefundAnswer, ReleaseAnswer,
    RequestAnswer, ReserveAnswer, Resolution, Saga, SagaEvent, SagaStep, StuckReason, VoidAnswer,
    VoidCause, accept,
};

pub(crate) fn order(id: i64) -> Arc<Order> {
    let line = |sku, quantity| Line {
        sku: Sku::new(sku),
        quantity,
    };
    Arc::new(
        Order::new(
            Installation(Uuid::from_u128(1)),
            OrderId(id),
            CustomerId(Uuid::from_u128(2)),
            Arc::from([line("TEA", 2), line("CUP", 1)]),
            PaymentMethod::new("tok_ok"),
            TraceContext::default(),
        )
        .unwrap(),
    )
}

pub(crate) fn quote() -> Quote {
    let line = |sku, quantity, cents| PricedLine {
        sku: Sku::new(sku),
        quantity,
        unit_price: Cents(cents),
    };
    Quote {
        total: Cents(1990),
        currency: "EUR".parse().unwrap(),
        lines: vec![line("TEA", 2, 595), line("CUP", 1, 800)],
    }
}

pub(crate) fn refusal() -> Refusal {
    Refusal {
        reason: RefusalReason::OutOfStock,
        shortages: vec![Shortage {
            sku: Sku::new("TEA"),
            requested: 2,
            available: 1,
        }],
    }
}

pub(crate) fn accepted(limits: &SagaLimits) -> Saga {
    let inputs = Inputs {
        limits,
        jitter: 1.0,
    };
    accept(order(42), &inputs).saga
}

/// A saga that stands in `step`, as it would be stored.
pub(crate) fn saga_in(step: SagaStep) -> Saga {
    let at = match &step {
        SagaStep::Stuck { at, .. } => at,
        other => other,
    };
    let unpriced = matches!(at, SagaStep::Reserving | SagaStep::Rejected { .. });
    Saga {
        order: order(42),
        version: Version(7),
        quote: (!unpriced).then(|| Arc::new(quote())),
        step,
        missed_deadlines: 0,
        late_money: LateMoney::None,
    }
}

/// Every step with every payload, and a stuck form of each that waits.
pub(crate) fn steps() -> Vec<SagaStep> {
    let mut all = vec![SagaStep::Reserving];
    while let Some(next) = all.last().and_then(step_after) {
        all.push(next);
    }
    let stuck: Vec<SagaStep> = all
        .iter()
        .filter(|step| !step.is_at_rest())
        .flat_map(|at| {
            stuck_reasons(at).into_iter().map(|reason| SagaStep::Stuck {
                at: Box::new(at.clone()),
                reason,
            })
        })
        .collect();
    all.extend(stuck);
    all
}

fn step_after(step: &SagaStep) -> Option<SagaStep> {
    use CancelReason as Why;
    use SagaStep::{
        AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded,
        Refunding, Rejected, Releasing, ReleasingForRefund, Reserving, Settling, Stuck, Voiding,
    };
    let released = |cause| Goods::Released { cause };
    Some(match step {
        Reserving => AwaitingPayment,
        AwaitingPayment => Voiding {
            cause: VoidCause::PaymentTimeout,
        },
        Voiding { cause } => match void_cause_after(*cause) {
            Some(cause) => Voiding { cause },
            None => Releasing {
                reason: Why::PaymentDeclined,
            },
        },
        Releasing { reason } => match cancel_reason_after(*reason) {
            Some(reason) => Releasing { reason },
            None => Committing,
        },
        Committing => Completed,
        Completed => CommittingForRefund,
        CommittingForRefund => ReleasingForRefund {
            cause: VoidCause::UserRequested,
        },
        ReleasingForRefund { cause } => match void_cause_after(*cause) {
            Some(cause) => ReleasingForRefund { cause },
            None => Refunding { goods: Goods::Sold },
        },
        Refunding { goods: Goods::Sold } => Refunding {
            goods: released(VoidCause::UserRequested),
        },
        Refunding {
            goods: Goods::Released { .. },
        } => Settling { goods: Goods::Sold },
        Settling { goods: Goods::Sold } => Settling {
            goods: released(VoidCause::Operator),
        },
        Settling {
            goods: Goods::Released { .. },
        } => Refunded { goods: Goods::Sold },
        Refunded { goods: Goods::Sold } => Refunded {
            goods: released(VoidCause::UserRequested),
        },
        Refunded {
            goods: Goods::Released { .. },
        } => Cancelled {
            reason: Why::PaymentDeclined,
        },
        Cancelled { reason } => match cancel_reason_after(*reason) {
            Some(reason) => Cancelled { reason },
            None => Rejected { refusal: refusal() },
        },
        Rejected { .. } | Stuck { .. } => return None,
    })
}

const fn void_cause_after(cause: VoidCause) -> Option<VoidCause> {
    match cause {
        VoidCause::PaymentTimeout => Some(VoidCause::UserRequested),
        VoidCause::UserRequested => Some(VoidCause::Operator),
        VoidCause::Operator => None,
    }
}

const fn cancel_reason_after(reason: CancelReason) -> Option<CancelReason> {
    match reason {
        CancelReason::PaymentDeclined => Some(CancelReason::PaymentTimeout),
        CancelReason::PaymentTimeout => Some(CancelReason::UserRequested),
        CancelReason::UserRequested => Some(CancelReason::InventoryUnavailable),
        CancelReason::InventoryUnavailable => Some(CancelReason::Operator),
        CancelReason::Operator => None,
    }
}

/// The reasons for which a step is set aside.
fn stuck_reasons(at: &SagaStep) -> Vec<StuckReason> {
    [
        StuckReason::CommitRefused,
        StuckReason::ReleaseRefused,
        StuckReason::RefundRefused,
        StuckReason::PaymentMismatch,
        StuckReason::CallRefused,
        StuckReason::Poison,
    ]
    .into_iter()
    .filter(|reason| match reason {
        StuckReason::CommitRefused => {
            matches!(
                at,
                SagaStep::Committing
                    | SagaStep::CommittingForRefund
                    | SagaStep::Settling { goods: Goods::Sold }
            )
        }
        StuckReason::ReleaseRefused => matches!(
            at,
            SagaStep::Releasing { .. }
                | SagaStep::ReleasingForRefund { .. }
                | SagaStep::Settling {
                    goods: Goods::Released { .. }
                }
        ),
        StuckReason::RefundRefused => matches!(at, SagaStep::Refunding { .. }),
        StuckReason::PaymentMismatch => matches!(
            at,
            SagaStep::AwaitingPayment | SagaStep::Voiding { .. } | SagaStep::Refunding { .. }
        ),
        StuckReason::CallRefused => !matches!(at, SagaStep::Reserving | SagaStep::AwaitingPayment),
        StuckReason::Poison => true,
    })
    .collect()
}

pub(crate) fn payment_id() -> PaymentId {
    order(42).ids.payment_id
}

/// Every event with every payload that decides something.
pub(crate) fn events() -> Vec<SagaEvent> {
    let mut all = vec![SagaEvent::ReserveAnswered(ReserveAnswer::Held(quote()))];
    while let Some(next) = all.last().and_then(event_after) {
        all.push(next);
    }
    all
}

#[allow(
    clippy::too_many_lines,
    reason = "one table: each sample and its successor"
)]
fn event_after(event: &SagaEvent) -> Option<SagaEvent> {
    use SagaEvent::{
        CancelRequested, CommitAnswered, DeadlinePassed, HandlingPanicked, OperatorCompensated,
        OperatorResolved, OperatorRetried, PaymentFailed, PaymentRefunded, PaymentSucceeded,
        RefundAnswered, RefundFailed, RefundRequested, Refused, ReleaseAnswered, RequestAnswered,
        ReserveAnswered, Unanswered, VoidAnswered,
    };
    let payment_id = payment_id();
    let reason = || "insufficient_funds".to_owned();
    let refunded = |late_capture| PaymentRefunded {
        payment_id,
        late_capture,
    };
    let refund_failed = |late_capture| RefundFailed {
        payment_id,
        reason: reason(),
        late_capture,
    };
    Some(match event {
        ReserveAnswered(ReserveAnswer::Held(_)) => {
            ReserveAnswered(ReserveAnswer::Refused(refusal()))
        }
        ReserveAnswered(ReserveAnswer::Refused(_)) => ReserveAnswered(ReserveAnswer::Released),
        ReserveAnswered(ReserveAnswer::Released) => ReserveAnswered(ReserveAnswer::Committed),
        ReserveAnswered(ReserveAnswer::Committed) => ReleaseAnswered(ReleaseAnswer::Released),
        ReleaseAnswered(ReleaseAnswer::Released) => ReleaseAnswered(ReleaseAnswer::Committed),
        ReleaseAnswered(ReleaseAnswer::Committed) => CommitAnswered(CommitAnswer::Committed),
        CommitAnswered(CommitAnswer::Committed) => CommitAnswered(CommitAnswer::Released),
        CommitAnswered(CommitAnswer::Released) => CommitAnswered(CommitAnswer::Refused),
        CommitAnswered(CommitAnswer::Refused) => RequestAnswered(RequestAnswer::Requested),
        RequestAnswered(RequestAnswer::Requested) => RequestAnswered(RequestAnswer::Captured),
        RequestAnswered(RequestAnswer::Captured) => {
            RequestAnswered(RequestAnswer::Declined(reason()))
        }
        RequestAnswered(RequestAnswer::Declined(_)) => RequestAnswered(RequestAnswer::Voided),
        RequestAnswered(RequestAnswer::Voided) => RequestAnswered(RequestAnswer::Unknown),
        RequestAnswered(RequestAnswer::Unknown) => RequestAnswered(RequestAnswer::Mismatch),
        RequestAnswered(RequestAnswer::Mismatch) => VoidAnswered(VoidAnswer::Voided),
        VoidAnswered(VoidAnswer::Voided) => VoidAnswered(VoidAnswer::Declined(reason())),
        VoidAnswered(VoidAnswer::Declined(_)) => VoidAnswered(VoidAnswer::Captured),
        VoidAnswered(VoidAnswer::Captured) => VoidAnswered(VoidAnswer::Unknown),
        VoidAnswered(VoidAnswer::Unknown) => VoidAnswered(VoidAnswer::Mismatch),
        VoidAnswered(VoidAnswer::Mismatch) => RefundAnswered(RefundAnswer::Pending),
        RefundAnswered(RefundAnswer::Pending) => RefundAnswered(RefundAnswer::Refunded),
        RefundAnswered(RefundAnswer::Refunded) => RefundAnswered(RefundAnswer::Refused(reason())),
        RefundAnswered(RefundAnswer::Refused(_)) => RefundAnswered(RefundAnswer::NotCaptured),
        RefundAnswered(RefundAnswer::NotCaptured) => Unanswered(Call::Reserve),
        Unanswered(Call::Reserve) => Unanswered(Call::Release),
        Unanswered(Call::Release) => Unanswered(Call::Commit),
        Unanswered(Call::Commit) => Unanswered(Call::Request),
        Unanswered(Call::Request) => Unanswered(Call::Void),
        Unanswered(Call::Void) => Unanswered(Call::Refund),
        Unanswered(Call::Refund) => Refused(Call::Reserve),
        Refused(Call::Reserve) => Refused(Call::Release),
        Refused(Call::Release) => Refused(Call::Commit),
        Refused(Call::Commit) => Refused(Call::Request),
        Refused(Call::Request) => Refused(Call::Void),
        Refused(Call::Void) => Refused(Call::Refund),
        Refused(Call::Refund) => PaymentSucceeded { payment_id },
        PaymentSucceeded { .. } => PaymentFailed {
            payment_id,
            reason: reason(),
        },
        PaymentFailed { .. } => refunded(false),
        PaymentRefunded {
            late_capture: false,
            ..
        } => refunded(true),
        PaymentRefunded {
            late_capture: true, ..
        } => refund_failed(false),
        RefundFailed {
            late_capture: false,
            ..
        } => refund_failed(true),
        RefundFailed {
            late_capture: true, ..
        } => CancelRequested,
        CancelRequested => RefundRequested,
        RefundRequested => DeadlinePassed,
        DeadlinePassed => OperatorRetried,
        OperatorRetried => OperatorCompensated,
        OperatorCompensated => OperatorResolved(Resolution::Cancelled),
        OperatorResolved(Resolution::Cancelled) => OperatorResolved(Resolution::Completed),
        OperatorResolved(Resolution::Completed) => OperatorResolved(Resolution::Refunded),
        OperatorResolved(Resolution::Refunded) => HandlingPanicked { times: 3 },
        HandlingPanicked { .. } => return None,
    })
}

/// An event as the table names it.
pub(crate) fn label(event: &SagaEvent) -> String {
    match event {
        SagaEvent::ReserveAnswered(answer) => format!("reserve answered {}", word(answer)),
        SagaEvent::ReleaseAnswered(answer) => format!("release answered {}", word(answer)),
        SagaEvent::CommitAnswered(answer) => format!("commit answered {}", word(answer)),
        SagaEvent::RequestAnswered(answer) => format!("request answered {}", word(answer)),
        SagaEvent::VoidAnswered(answer) => format!("void answered {}", word(answer)),
        SagaEvent::RefundAnswered(answer) => format!("refund answered {}", word(answer)),
        SagaEvent::Unanswered(call) => format!("{} unanswered", word(call).to_lowercase()),
        SagaEvent::Refused(call) => format!("{} refused", word(call).to_lowercase()),
        SagaEvent::PaymentRefunded {
            late_capture: true, ..
        } => "payment_refunded (late)".to_owned(),
        SagaEvent::RefundFailed {
            late_capture: true, ..
        } => "refund_failed (late)".to_owned(),
        SagaEvent::OperatorResolved(resolution) => {
            format!("operator resolved as {}", word(resolution))
        }
        SagaEvent::PaymentSucceeded { .. }
        | SagaEvent::PaymentFailed { .. }
        | SagaEvent::PaymentRefunded { .. }
        | SagaEvent::RefundFailed { .. }
        | SagaEvent::CancelRequested
        | SagaEvent::RefundRequested
        | SagaEvent::DeadlinePassed
        | SagaEvent::OperatorRetried
        | SagaEvent::OperatorCompensated
        | SagaEvent::HandlingPanicked { .. } => event.name().to_owned(),
    }
}

/// The variant's name, without what it carries.
fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(['(', ' ', '{']).unwrap_or(text.len());
    text[..end].to_owned()
}
