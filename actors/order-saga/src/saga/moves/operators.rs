//! What operators do by hand.

use super::Moves;
use crate::saga::SagaStep::{
    AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded, Refunding,
    Rejected, Releasing, ReleasingForRefund, Reserving, Stuck, Voiding,
};
use crate::saga::{
    Act, CancelReason, Goods, Ignored, Resolution, SagaStep, Stepped, StuckReason, VoidCause,
};

impl Act {
    pub(super) fn did(&self, what: &str) -> String {
        format!("Operator {} {what}: {}", self.who, self.why)
    }
}

impl Moves<'_> {
    /// Asks for `step` again with fresh deadlines, also out of Stuck.
    pub(in crate::saga) fn retried(self, step: &SagaStep, act: &Act) -> Stepped {
        self.asking(step.clone(), act.did("retried"))
    }

    /// From where the order was set aside to the way back from there.
    pub(in crate::saga) fn compensated_stuck(
        self,
        at: &SagaStep,
        reason: StuckReason,
        act: &Act,
    ) -> Stepped {
        let cause = VoidCause::Operator;
        let step = match (at, reason) {
            (Reserving, _) => Releasing {
                reason: cause.into(),
            },
            (AwaitingPayment | Voiding { .. }, _) => Voiding { cause },
            (Committing | CommittingForRefund, StuckReason::CommitRefused) => {
                ReleasingForRefund { cause }
            }
            (Committing | CommittingForRefund, _) => CommittingForRefund,
            (ReleasingForRefund { .. }, StuckReason::ReleaseRefused) => {
                Refunding { goods: Goods::Sold }
            }
            (Releasing { .. } | ReleasingForRefund { .. } | Refunding { .. }, _) => at.clone(),
            (
                Completed | Refunded { .. } | Cancelled { .. } | Rejected { .. } | Stuck { .. },
                _,
            ) => {
                return Stepped::Ignore(Ignored::Ended);
            }
        };
        self.asking(step, act.did("gave the order back"))
    }

    /// Only to an end that fits where the order was set aside.
    pub(in crate::saga) fn resolved(
        self,
        at: &SagaStep,
        act: &Act,
        resolution: Resolution,
    ) -> Stepped {
        use Resolution as To;
        let cause = act.did("settled the order by hand");
        match (resolution, at) {
            (To::Cancelled, Reserving | AwaitingPayment | Voiding { .. } | Releasing { .. }) => {
                self.ended_as_cancelled(CancelReason::Operator, &cause)
            }
            (To::Completed, Committing) => self.end(Completed, cause).done(),
            (To::Refunded, Committing | CommittingForRefund) => {
                self.ended_as_refunded(Goods::Sold, &cause)
            }
            (To::Refunded, ReleasingForRefund { cause: why }) => {
                self.ended_as_refunded(Goods::Released { cause: *why }, &cause)
            }
            (To::Refunded, Refunding { goods }) => self.ended_as_refunded(*goods, &cause),
            _ => Stepped::Ignore(Ignored::NotResolvable),
        }
    }
}
