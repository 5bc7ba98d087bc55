//! The table: what each event means in each step.

use super::CommitAnswer as Commit;
use super::Ignored::{
    AlreadyHolds, AlreadyPaid, AwaitsDeadline, Duplicate, Ended, IsStuck, NotCancellable, NotPaid,
    NotResolvable, Superseded,
};
use super::ReleaseAnswer as Release;
use super::RequestAnswer as Request;
use super::ReserveAnswer as Reserve;
use super::SagaEvent::{
    CancelRequested, CommitAnswered, DeadlinePassed, HandlingPanicked, OperatorCompensated,
    OperatorResolved, OperatorRetried, PaymentFailed, PaymentRefunded, PaymentSucceeded,
    RefundAnswered, RefundFailed, RefundRequested, Refused, ReleaseAnswered, RequestAnswered,
    ReserveAnswered, Unanswered, VoidAnswered,
};
use super::SagaStep::{
    AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded, Refunding,
    Rejected, Releasing, ReleasingForRefund, Reserving, Settling, Stuck, Voiding,
};
use super::Stepped::{Ignore, Illegal};
use super::VoidAnswer as Void;
use super::moves::Moves;
use super::{
    Call, CancelReason, Goods, RefundAnswer as Refund, Saga, SagaEvent, Stepped, StuckReason,
    VolatileEffect,
};
use crate::limits::SagaLimits;

/// What a decision depends on besides saga and event.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The numbers.
    pub limits: &'a SagaLimits,
    /// A random number in `0.0..1.0` that spreads deadlines.
    pub jitter: f64,
}

/// What a stored saga needs to have asked, now. Empty for a saga at rest. Asking twice is harmless: every receiver is idempotent.
#[must_use]
pub fn resume(saga: &Saga) -> Vec<VolatileEffect> {
    match &saga.step {
        Reserving => vec![VolatileEffect::AskReserve],
        AwaitingPayment => vec![VolatileEffect::RequestPayment],
        Voiding { .. } => vec![VolatileEffect::VoidPayment],
        Releasing { .. }
        | ReleasingForRefund { .. }
        | Settling {
            goods: Goods::Released { .. },
        } => vec![VolatileEffect::AskRelease],
        Committing | CommittingForRefund | Settling { goods: Goods::Sold } => {
            vec![VolatileEffect::AskCommit]
        }
        Refunding { .. } => vec![VolatileEffect::RefundPayment],
        Completed | Refunded { .. } | Cancelled { .. } | Rejected { .. } | Stuck { .. } => vec![],
    }
}

/// Decides what `event` means for `saga`. Deterministic: the same arguments give the same decision, on every replica.
#[must_use]
#[rustfmt::skip]
#[expect(
    clippy::too_many_lines,
    reason = "one table, read from top to bottom; every arm is one line that names the decision"
)]
pub fn step(saga: &Saga, event: &SagaEvent, inputs: &Inputs<'_>) -> Stepped {
    if event
        .payment_id()
        .is_some_and(|id| id != saga.order.ids.payment_id)
    {
        return Illegal;
    }
    let go = Moves { saga, inputs };
    match (&saga.step, event) {
        // From Reserving. No payment was ever asked for. It gives up by itself, so a refused command needs nobody; AwaitingPayment does too.
        (Reserving, ReserveAnswered(Reserve::Held(quote))) => go.held(quote),
        (Reserving, ReserveAnswered(Reserve::Refused(refusal))) => go.refused(refusal),
        (Reserving, ReserveAnswered(Reserve::Released)) => go.released_by_hand(),
        (Reserving, ReserveAnswered(Reserve::Committed)) => Illegal,
        (Reserving, ReleaseAnswered(_) | CommitAnswered(_)) => Illegal,
        (Reserving, RequestAnswered(_) | VoidAnswered(_) | RefundAnswered(_)) => Illegal,
        (Reserving, PaymentSucceeded { .. } | PaymentFailed { .. }) => Illegal,
        (Reserving, PaymentRefunded { .. } | RefundFailed { .. }) => Illegal,
        (Reserving, Unanswered(_) | Refused(_)) => Ignore(AwaitsDeadline),
        (Reserving, DeadlinePassed) => go.reserve_deadline_passed(),
        (Reserving, CancelRequested) => go.release_unpaid(CancelReason::UserRequested, "The customer cancelled"),
        (Reserving, RefundRequested) => Ignore(NotPaid),
        (Reserving, OperatorRetried) => go.retried(&saga.step),
        (Reserving, OperatorCompensated) => go.release_unpaid_by_hand(),
        (Reserving, OperatorResolved(_)) => Ignore(NotResolvable),
        (Reserving, HandlingPanicked { times }) => go.poisoned(*times),

        // From AwaitingPayment. The stock is held, the request is with payments or on its way.
        (AwaitingPayment, ReserveAnswered(Reserve::Held(_))) => Ignore(Duplicate),
        (AwaitingPayment, ReserveAnswered(Reserve::Refused(_) | Reserve::Released | Reserve::Committed)) => Illegal,
        (AwaitingPayment, ReleaseAnswered(_) | CommitAnswered(_)) => Illegal,
        (AwaitingPayment, RequestAnswered(Request::Captured) | PaymentSucceeded { .. }) => go.captured(),
        (AwaitingPayment, RequestAnswered(Request::Declined(reason)) | PaymentFailed { reason, .. }) => go.declined(reason),
        (AwaitingPayment, RequestAnswered(Request::Voided)) => go.voided_by_hand(),
        (AwaitingPayment, RequestAnswered(Request::Requested | Request::Unknown)) => Ignore(AwaitsDeadline),
        (AwaitingPayment, RequestAnswered(Request::Mismatch)) => go.stuck(StuckReason::PaymentMismatch),
        (AwaitingPayment, VoidAnswered(_) | RefundAnswered(_)) => Illegal,
        (AwaitingPayment, PaymentRefunded { late_capture, .. }) => go.late_refund(*late_capture),
        (AwaitingPayment, RefundFailed { late_capture, .. }) => go.late_refund_failed(*late_capture),
        (AwaitingPayment, Unanswered(_) | Refused(_)) => Ignore(AwaitsDeadline),
        (AwaitingPayment, DeadlinePassed) => go.payment_deadline_passed(),
        (AwaitingPayment, CancelRequested) => go.void_for_customer(),
        (AwaitingPayment, RefundRequested) => Ignore(NotPaid),
        (AwaitingPayment, OperatorRetried) => go.retried(&saga.step),
        (AwaitingPayment, OperatorCompensated) => go.void_by_hand(),
        (AwaitingPayment, OperatorResolved(_)) => Ignore(NotResolvable),
        (AwaitingPayment, HandlingPanicked { times }) => go.poisoned(*times),

        // From Voiding. Payments decides whether the void or the charge was first.
        (Voiding { .. }, ReserveAnswered(Reserve::Held(_))) => Ignore(Duplicate),
        (Voiding { .. }, ReserveAnswered(Reserve::Refused(_) | Reserve::Released | Reserve::Committed)) => Illegal,
        (Voiding { .. }, ReleaseAnswered(_) | CommitAnswered(_)) => Illegal,
        (Voiding { cause }, VoidAnswered(Void::Captured)) => go.captured_despite_void(*cause),
        (Voiding { cause }, RequestAnswered(Request::Captured) | PaymentSucceeded { .. }) => go.captured_despite_void(*cause),
        (Voiding { cause }, VoidAnswered(Void::Voided) | RequestAnswered(Request::Voided)) => go.voided(*cause),
        (Voiding { cause }, VoidAnswered(Void::Declined(_)) | RequestAnswered(Request::Declined(_)) | PaymentFailed { .. }) => go.declined_before_void(*cause),
        (Voiding { .. }, VoidAnswered(Void::Unknown)) => Ignore(AwaitsDeadline),
        (Voiding { .. }, RequestAnswered(Request::Requested | Request::Unknown)) => Ignore(Superseded),
        (Voiding { .. }, VoidAnswered(Void::Mismatch) | RequestAnswered(Request::Mismatch)) => go.stuck(StuckReason::PaymentMismatch),
        (Voiding { .. }, RefundAnswered(_)) => Illegal,
        (Voiding { .. }, PaymentRefunded { late_capture, .. }) => go.late_refund(*late_capture),
        (Voiding { .. }, RefundFailed { late_capture, .. }) => go.late_refund_failed(*late_capture),
        (Voiding { .. }, Unanswered(_)) => Ignore(AwaitsDeadline),
        (Voiding { .. }, Refused(Call::Void)) => go.call_refused(),
        (Voiding { .. }, Refused(_)) => Ignore(Superseded),
        (Voiding { .. }, DeadlinePassed) => go.ask_again(),
        (Voiding { cause }, CancelRequested) => go.cancelled_while_voiding(*cause),
        (Voiding { .. }, RefundRequested) => Ignore(NotPaid),
        (Voiding { .. }, OperatorRetried) => go.retried(&saga.step),
        (Voiding { cause }, OperatorCompensated) => go.compensated_while_voiding(*cause),
        (Voiding { .. }, OperatorResolved(_)) => Ignore(NotResolvable),
        (Voiding { .. }, HandlingPanicked { times }) => go.poisoned(*times),

        // From Releasing. No money was taken; late answers of the way forward mean nothing any more.
        (Releasing { .. }, ReserveAnswered(Reserve::Held(_) | Reserve::Refused(_) | Reserve::Released)) => Ignore(Superseded),
        (Releasing { .. }, ReserveAnswered(Reserve::Committed)) => Illegal,
        (Releasing { reason }, ReleaseAnswered(Release::Released)) => go.cancelled(*reason),
        (Releasing { .. }, ReleaseAnswered(Release::Committed)) => go.stuck(StuckReason::ReleaseRefused),
        (Releasing { .. }, CommitAnswered(_)) => Illegal,
        (Releasing { .. }, RequestAnswered(Request::Requested | Request::Unknown | Request::Mismatch)) => Ignore(Superseded),
        (Releasing { .. }, RequestAnswered(Request::Declined(_) | Request::Voided)) => Ignore(Duplicate),
        (Releasing { .. }, RequestAnswered(Request::Captured) | PaymentSucceeded { .. }) => Illegal,
        (Releasing { .. }, VoidAnswered(Void::Unknown | Void::Mismatch)) => Ignore(Superseded),
        (Releasing { .. }, VoidAnswered(Void::Voided | Void::Declined(_)) | PaymentFailed { .. }) => Ignore(Duplicate),
        (Releasing { .. }, VoidAnswered(Void::Captured)) => Illegal,
        (Releasing { .. }, RefundAnswered(_)) => Illegal,
        (Releasing { .. }, PaymentRefunded { late_capture, .. }) => go.late_refund(*late_capture),
        (Releasing { .. }, RefundFailed { late_capture, .. }) => go.late_refund_failed(*late_capture),
        (Releasing { .. }, Unanswered(_)) => Ignore(AwaitsDeadline),
        (Releasing { .. }, Refused(Call::Release)) => go.call_refused(),
        (Releasing { .. }, Refused(_)) => Ignore(Superseded),
        (Releasing { .. }, DeadlinePassed) => go.ask_again(),
        (Releasing { .. }, CancelRequested) => Ignore(AlreadyHolds),
        (Releasing { .. }, RefundRequested) => Ignore(NotPaid),
        (Releasing { .. }, OperatorRetried) => go.retried(&saga.step),
        (Releasing { .. }, OperatorCompensated) => Ignore(AlreadyHolds),
        (Releasing { .. }, OperatorResolved(_)) => Ignore(NotResolvable),
        (Releasing { .. }, HandlingPanicked { times }) => go.poisoned(*times),

        // From Committing. The pivot is behind: only forward, or refund.
        (Committing, ReserveAnswered(Reserve::Held(_) | Reserve::Committed)) => Ignore(Duplicate),
        (Committing, ReserveAnswered(Reserve::Refused(_) | Reserve::Released)) => Illegal,
        (Committing, ReleaseAnswered(_)) => Illegal,
        (Committing, CommitAnswered(Commit::Committed)) => go.completed(),
        (Committing, CommitAnswered(Commit::Released | Commit::Refused)) => go.stuck(StuckReason::CommitRefused),
        (Committing, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (Committing, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (Committing, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (Committing, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (Committing, RefundAnswered(_) | PaymentFailed { .. }) => Illegal,
        (Committing, PaymentRefunded { .. } | RefundFailed { .. }) => Illegal,
        (Committing, Unanswered(_)) => Ignore(AwaitsDeadline),
        (Committing, Refused(Call::Commit)) => go.call_refused(),
        (Committing, Refused(_)) => Ignore(Superseded),
        (Committing, DeadlinePassed) => go.ask_again(),
        (Committing, CancelRequested) => Ignore(AlreadyPaid),
        (Committing, RefundRequested) => go.refund_after_commit("The customer asked for the money back"),
        (Committing, OperatorRetried) => go.retried(&saga.step),
        (Committing, OperatorCompensated) => go.refund_after_commit_by_hand(),
        (Committing, OperatorResolved(_)) => Ignore(NotResolvable),
        (Committing, HandlingPanicked { times }) => go.poisoned(*times),

        // From Completed.
        (Completed, ReserveAnswered(Reserve::Held(_) | Reserve::Committed)) => Ignore(Duplicate),
        (Completed, ReserveAnswered(Reserve::Refused(_) | Reserve::Released)) => Illegal,
        (Completed, ReleaseAnswered(_)) => Illegal,
        (Completed, CommitAnswered(Commit::Committed)) => Ignore(Duplicate),
        (Completed, CommitAnswered(Commit::Released | Commit::Refused)) => Illegal,
        (Completed, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (Completed, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (Completed, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (Completed, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (Completed, RefundAnswered(_) | PaymentFailed { .. }) => Illegal,
        (Completed, PaymentRefunded { .. } | RefundFailed { .. }) => Illegal,
        (Completed, Unanswered(_) | Refused(_) | DeadlinePassed) => Ignore(Ended),
        (Completed, CancelRequested) => Ignore(AlreadyPaid),
        (Completed, RefundRequested) => go.refund_sold("The customer asked for the money back"),
        (Completed, OperatorRetried) => Ignore(Ended),
        (Completed, OperatorCompensated) => go.refund_sold_by_hand(),
        (Completed, OperatorResolved(_)) => Ignore(NotResolvable),
        (Completed, HandlingPanicked { .. }) => Ignore(Ended),

        // From CommittingForRefund. The sale is finished before the money goes back.
        (CommittingForRefund, ReserveAnswered(Reserve::Held(_) | Reserve::Committed)) => Ignore(Duplicate),
        (CommittingForRefund, ReserveAnswered(Reserve::Refused(_) | Reserve::Released)) => Illegal,
        (CommittingForRefund, ReleaseAnswered(_)) => Illegal,
        (CommittingForRefund, CommitAnswered(Commit::Committed)) => go.refund_sold("The stock confirmed the sale"),
        (CommittingForRefund, CommitAnswered(Commit::Released | Commit::Refused)) => go.stuck(StuckReason::CommitRefused),
        (CommittingForRefund, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (CommittingForRefund, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (CommittingForRefund, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (CommittingForRefund, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (CommittingForRefund, RefundAnswered(_) | PaymentFailed { .. }) => Illegal,
        (CommittingForRefund, PaymentRefunded { .. } | RefundFailed { .. }) => Illegal,
        (CommittingForRefund, Unanswered(_)) => Ignore(AwaitsDeadline),
        (CommittingForRefund, Refused(Call::Commit)) => go.call_refused(),
        (CommittingForRefund, Refused(_)) => Ignore(Superseded),
        (CommittingForRefund, DeadlinePassed) => go.ask_again(),
        (CommittingForRefund, CancelRequested) => Ignore(AlreadyPaid),
        (CommittingForRefund, RefundRequested | OperatorCompensated) => Ignore(AlreadyHolds),
        (CommittingForRefund, OperatorRetried) => go.retried(&saga.step),
        (CommittingForRefund, OperatorResolved(_)) => Ignore(NotResolvable),
        (CommittingForRefund, HandlingPanicked { times }) => go.poisoned(*times),

        // From ReleasingForRefund. The charge won against a cancel, or the sale was refused: the goods go back first.
        (ReleasingForRefund { .. }, ReserveAnswered(Reserve::Held(_) | Reserve::Refused(_) | Reserve::Released)) => Ignore(Superseded),
        (ReleasingForRefund { .. }, ReserveAnswered(Reserve::Committed)) => Illegal,
        (ReleasingForRefund { cause }, ReleaseAnswered(Release::Released)) => go.refund_released(*cause),
        (ReleasingForRefund { .. }, ReleaseAnswered(Release::Committed)) => go.stuck(StuckReason::ReleaseRefused),
        (ReleasingForRefund { .. }, CommitAnswered(Commit::Released | Commit::Refused)) => Ignore(Superseded),
        (ReleasingForRefund { .. }, CommitAnswered(Commit::Committed)) => Illegal,
        (ReleasingForRefund { .. }, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (ReleasingForRefund { .. }, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (ReleasingForRefund { .. }, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (ReleasingForRefund { .. }, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (ReleasingForRefund { .. }, RefundAnswered(_) | PaymentFailed { .. }) => Illegal,
        (ReleasingForRefund { .. }, PaymentRefunded { .. } | RefundFailed { .. }) => Illegal,
        (ReleasingForRefund { .. }, Unanswered(_)) => Ignore(AwaitsDeadline),
        (ReleasingForRefund { .. }, Refused(Call::Release)) => go.call_refused(),
        (ReleasingForRefund { .. }, Refused(_)) => Ignore(Superseded),
        (ReleasingForRefund { .. }, DeadlinePassed) => go.ask_again(),
        (ReleasingForRefund { .. }, CancelRequested | RefundRequested | OperatorCompensated) => Ignore(AlreadyHolds),
        (ReleasingForRefund { .. }, OperatorRetried) => go.retried(&saga.step),
        (ReleasingForRefund { .. }, OperatorResolved(_)) => Ignore(NotResolvable),
        (ReleasingForRefund { .. }, HandlingPanicked { times }) => go.poisoned(*times),

        // From Refunding. Payments owns the attempts; a failure on the bus is only believed when payments, asked, says so too.
        (Refunding { .. }, ReserveAnswered(_)) => Ignore(Superseded),
        (Refunding { .. }, ReleaseAnswered(Release::Released)) => Ignore(Superseded),
        (Refunding { .. }, ReleaseAnswered(Release::Committed)) => Illegal,
        (Refunding { .. }, CommitAnswered(_)) => Ignore(Superseded),
        (Refunding { .. }, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (Refunding { .. }, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (Refunding { .. }, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (Refunding { .. }, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (Refunding { goods }, RefundAnswered(Refund::Refunded) | PaymentRefunded { late_capture: false, .. }) => go.refunded(*goods),
        (Refunding { .. }, RefundAnswered(Refund::Pending)) => Ignore(AwaitsDeadline),
        (Refunding { .. }, RefundAnswered(Refund::Refused(_))) => go.stuck(StuckReason::RefundRefused),
        (Refunding { .. }, RefundAnswered(Refund::NotCaptured)) => go.stuck(StuckReason::PaymentMismatch),
        (Refunding { .. }, PaymentFailed { .. } | PaymentRefunded { late_capture: true, .. }) => Illegal,
        (Refunding { .. }, RefundFailed { late_capture: false, .. }) => Ignore(AwaitsDeadline),
        (Refunding { .. }, RefundFailed { late_capture: true, .. }) => Illegal,
        (Refunding { .. }, Unanswered(_)) => Ignore(AwaitsDeadline),
        (Refunding { .. }, Refused(Call::Refund)) => go.call_refused(),
        (Refunding { .. }, Refused(_)) => Ignore(Superseded),
        (Refunding { .. }, DeadlinePassed) => go.ask_again(),
        (Refunding { goods: Goods::Sold }, CancelRequested) => Ignore(AlreadyPaid),
        (Refunding { goods: Goods::Released { .. } }, CancelRequested) => Ignore(AlreadyHolds),
        (Refunding { .. }, RefundRequested | OperatorCompensated) => Ignore(AlreadyHolds),
        (Refunding { .. }, OperatorRetried) => go.retried(&saga.step),
        (Refunding { .. }, OperatorResolved(_)) => Ignore(NotResolvable),
        (Refunding { .. }, HandlingPanicked { times }) => go.poisoned(*times),

        // From Settling. The money went back by hand: payments is not asked for it, whatever it says.
        (Settling { .. }, ReserveAnswered(_)) => Ignore(Superseded),
        (Settling { goods: Goods::Sold }, CommitAnswered(Commit::Committed)) => go.settled(Goods::Sold),
        (Settling { goods: Goods::Sold }, CommitAnswered(Commit::Released | Commit::Refused)) => go.stuck(StuckReason::CommitRefused),
        (Settling { goods: Goods::Sold }, ReleaseAnswered(_)) => Ignore(Superseded),
        (Settling { goods: goods @ Goods::Released { .. } }, ReleaseAnswered(Release::Released)) => go.settled(*goods),
        (Settling { goods: Goods::Released { .. } }, ReleaseAnswered(Release::Committed)) => go.stuck(StuckReason::ReleaseRefused),
        (Settling { goods: Goods::Released { .. } }, CommitAnswered(_)) => Ignore(Superseded),
        (Settling { .. }, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (Settling { .. }, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (Settling { .. }, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (Settling { .. }, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (Settling { .. }, RefundAnswered(_)) => Ignore(Superseded),
        (Settling { .. }, PaymentRefunded { late_capture: false, .. } | RefundFailed { late_capture: false, .. }) => Ignore(Superseded),
        (Settling { .. }, PaymentFailed { .. }) => Illegal,
        (Settling { .. }, PaymentRefunded { late_capture: true, .. } | RefundFailed { late_capture: true, .. }) => Illegal,
        (Settling { .. }, Unanswered(_)) => Ignore(AwaitsDeadline),
        (Settling { goods: Goods::Sold }, Refused(Call::Commit)) => go.call_refused(),
        (Settling { goods: Goods::Released { .. } }, Refused(Call::Release)) => go.call_refused(),
        (Settling { .. }, Refused(_)) => Ignore(Superseded),
        (Settling { .. }, DeadlinePassed) => go.ask_again(),
        (Settling { goods: Goods::Sold }, CancelRequested) => Ignore(AlreadyPaid),
        (Settling { goods: Goods::Released { .. } }, CancelRequested) => Ignore(AlreadyHolds),
        (Settling { .. }, RefundRequested | OperatorCompensated) => Ignore(AlreadyHolds),
        (Settling { .. }, OperatorRetried) => go.retried(&saga.step),
        (Settling { .. }, OperatorResolved(_)) => Ignore(NotResolvable),
        (Settling { .. }, HandlingPanicked { times }) => go.poisoned(*times),

        // From Refunded.
        (Refunded { .. }, ReserveAnswered(_)) => Ignore(Superseded),
        (Refunded { .. }, ReleaseAnswered(Release::Released)) => Ignore(Superseded),
        (Refunded { .. }, ReleaseAnswered(Release::Committed)) => Illegal,
        (Refunded { .. }, CommitAnswered(_)) => Ignore(Superseded),
        (Refunded { .. }, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Ignore(Duplicate),
        (Refunded { .. }, RequestAnswered(Request::Requested | Request::Unknown) | VoidAnswered(Void::Unknown)) => Ignore(Superseded),
        (Refunded { .. }, RequestAnswered(Request::Declined(_) | Request::Voided | Request::Mismatch)) => Illegal,
        (Refunded { .. }, VoidAnswered(Void::Voided | Void::Declined(_) | Void::Mismatch)) => Illegal,
        (Refunded { .. }, RefundAnswered(Refund::Refunded) | PaymentRefunded { late_capture: false, .. }) => Ignore(Duplicate),
        (Refunded { .. }, RefundAnswered(Refund::Pending | Refund::Refused(_)) | RefundFailed { late_capture: false, .. }) => Ignore(Superseded),
        (Refunded { .. }, RefundAnswered(Refund::NotCaptured) | PaymentFailed { .. }) => Illegal,
        (Refunded { .. }, PaymentRefunded { late_capture: true, .. } | RefundFailed { late_capture: true, .. }) => Illegal,
        (Refunded { .. }, Unanswered(_) | Refused(_) | DeadlinePassed) => Ignore(Ended),
        (Refunded { goods: Goods::Sold }, CancelRequested) => Ignore(AlreadyPaid),
        (Refunded { goods: Goods::Released { .. } }, CancelRequested) => Ignore(AlreadyHolds),
        (Refunded { .. }, RefundRequested | OperatorCompensated) => Ignore(AlreadyHolds),
        (Refunded { .. }, OperatorRetried | HandlingPanicked { .. }) => Ignore(Ended),
        (Refunded { .. }, OperatorResolved(_)) => Ignore(NotResolvable),

        // From Cancelled. Late money is noted; payments gives it back by itself.
        (Cancelled { .. }, ReserveAnswered(Reserve::Held(_) | Reserve::Refused(_) | Reserve::Released)) => Ignore(Superseded),
        (Cancelled { .. }, ReserveAnswered(Reserve::Committed)) => Illegal,
        (Cancelled { .. }, ReleaseAnswered(Release::Released)) => Ignore(Duplicate),
        (Cancelled { .. }, ReleaseAnswered(Release::Committed) | CommitAnswered(_)) => Illegal,
        (Cancelled { .. }, RequestAnswered(Request::Requested | Request::Unknown | Request::Mismatch)) => Ignore(Superseded),
        (Cancelled { .. }, RequestAnswered(Request::Declined(_) | Request::Voided)) => Ignore(Duplicate),
        (Cancelled { .. }, VoidAnswered(Void::Unknown | Void::Mismatch)) => Ignore(Superseded),
        (Cancelled { .. }, VoidAnswered(Void::Voided | Void::Declined(_)) | PaymentFailed { .. }) => Ignore(Duplicate),
        (Cancelled { .. }, RequestAnswered(Request::Captured) | VoidAnswered(Void::Captured) | PaymentSucceeded { .. }) => Illegal,
        (Cancelled { .. }, RefundAnswered(_)) => Illegal,
        (Cancelled { .. }, PaymentRefunded { late_capture, .. }) => go.late_refund(*late_capture),
        (Cancelled { .. }, RefundFailed { late_capture, .. }) => go.late_refund_failed(*late_capture),
        (Cancelled { .. }, Unanswered(_) | Refused(_) | DeadlinePassed) => Ignore(Ended),
        (Cancelled { .. }, CancelRequested | OperatorCompensated) => Ignore(AlreadyHolds),
        (Cancelled { .. }, RefundRequested) => Ignore(NotPaid),
        (Cancelled { .. }, OperatorRetried | HandlingPanicked { .. }) => Ignore(Ended),
        (Cancelled { .. }, OperatorResolved(_)) => Ignore(NotResolvable),

        // From Rejected. No payment was ever asked for.
        (Rejected { .. }, ReserveAnswered(Reserve::Refused(_))) => Ignore(Duplicate),
        (Rejected { .. }, ReserveAnswered(Reserve::Held(_) | Reserve::Released | Reserve::Committed)) => Illegal,
        (Rejected { .. }, ReleaseAnswered(_) | CommitAnswered(_)) => Illegal,
        (Rejected { .. }, RequestAnswered(_) | VoidAnswered(_) | RefundAnswered(_)) => Illegal,
        (Rejected { .. }, PaymentSucceeded { .. } | PaymentFailed { .. }) => Illegal,
        (Rejected { .. }, PaymentRefunded { .. } | RefundFailed { .. }) => Illegal,
        (Rejected { .. }, Unanswered(_) | Refused(_) | DeadlinePassed) => Ignore(Ended),
        (Rejected { .. }, CancelRequested) => Ignore(NotCancellable),
        (Rejected { .. }, RefundRequested) => Ignore(NotPaid),
        (Rejected { .. }, OperatorCompensated) => Ignore(AlreadyHolds),
        (Rejected { .. }, OperatorRetried | HandlingPanicked { .. }) => Ignore(Ended),
        (Rejected { .. }, OperatorResolved(_)) => Ignore(NotResolvable),

        // From Stuck. Answers and facts are not lost by ignoring them: whoever is asked after a retry says them again.
        (Stuck { .. }, ReserveAnswered(_) | ReleaseAnswered(_) | CommitAnswered(_)) => Ignore(IsStuck),
        (Stuck { .. }, RequestAnswered(_) | VoidAnswered(_)) => Ignore(IsStuck),
        (Stuck { .. }, PaymentSucceeded { .. } | PaymentFailed { .. }) => Ignore(IsStuck),
        (Stuck { at, .. }, RefundAnswered(Refund::Refunded) | PaymentRefunded { late_capture: false, .. }) => go.refunded_after_all(at),
        (Stuck { .. }, RefundAnswered(Refund::Pending | Refund::Refused(_) | Refund::NotCaptured)) => Ignore(IsStuck),
        (Stuck { .. }, RefundFailed { late_capture: false, .. }) => Ignore(IsStuck),
        (Stuck { .. }, PaymentRefunded { late_capture: true, .. }) => go.late_refund(true),
        (Stuck { .. }, RefundFailed { late_capture: true, .. }) => go.late_refund_failed(true),
        (Stuck { .. }, Unanswered(_) | Refused(_) | DeadlinePassed) => Ignore(IsStuck),
        (Stuck { .. }, CancelRequested | RefundRequested) => Ignore(IsStuck),
        (Stuck { at, .. }, OperatorRetried) => go.retried(at),
        (Stuck { at, reason }, OperatorCompensated) => go.compensated_stuck(at, *reason),
        (Stuck { at, reason }, OperatorResolved(resolution)) => go.resolved(at, *reason, *resolution),
        (Stuck { .. }, HandlingPanicked { .. }) => Ignore(IsStuck),
    }
}
