//! The coordinator's questions: volatile effects become messages to the clients of inventory and payments, and each comes back as
//! exactly one event.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::{AskError, Ctx, Mailbox, Reply, TraceContext};
use tracing::{error, warn};

use super::{CoordinatorMsg, Own, SagaCoordinator};
use crate::ports::{CallError, InventoryRequest, PaymentParameters, PaymentsRequest};
use crate::saga::{Call, SagaEvent, SagaState, VolatileEffect};

impl SagaCoordinator {
    /// Runs what follows a commit. Any of it may be lost: the step's deadline asks again.
    pub(super) fn run(
        &mut self,
        effects: Vec<VolatileEffect>,
        trace: &TraceContext,
        ctx: &Ctx<Self>,
    ) {
        for effect in effects {
            let trace = trace.clone();
            match effect {
                VolatileEffect::AskReserve => self.ask_reserve(trace, ctx),
                VolatileEffect::AskRelease => self.ask_release(trace, ctx),
                VolatileEffect::AskCommit => self.ask_commit(trace, ctx),
                VolatileEffect::RequestPayment => self.request_payment(trace, ctx),
                VolatileEffect::VoidPayment => self.void_payment(trace, ctx),
                VolatileEffect::RefundPayment => self.refund_payment(trace, ctx),
                VolatileEffect::Alert => self.alert(),
            }
        }
    }

    fn ask_reserve(&mut self, trace: TraceContext, ctx: &Ctx<Self>) {
        let order = Arc::clone(&self.state.saga.order);
        let question = |reply| InventoryRequest::Reserve {
            order_id: order.order_id,
            reservation_id: order.ids.reservation_id,
            lines: Arc::clone(&order.lines),
            trace,
            reply,
        };
        self.ask_inventory(Call::Reserve, question, SagaEvent::ReserveAnswered, ctx);
    }

    fn ask_release(&mut self, trace: TraceContext, ctx: &Ctx<Self>) {
        let order = Arc::clone(&self.state.saga.order);
        let question = |reply| InventoryRequest::Release {
            order_id: order.order_id,
            reservation_id: order.ids.reservation_id,
            release_id: order.ids.release_id,
            trace,
            reply,
        };
        self.ask_inventory(Call::Release, question, SagaEvent::ReleaseAnswered, ctx);
    }

    fn ask_commit(&mut self, trace: TraceContext, ctx: &Ctx<Self>) {
        let order = Arc::clone(&self.state.saga.order);
        let question = |reply| InventoryRequest::Commit {
            order_id: order.order_id,
            reservation_id: order.ids.reservation_id,
            trace,
            reply,
        };
        self.ask_inventory(Call::Commit, question, SagaEvent::CommitAnswered, ctx);
    }

    fn request_payment(&mut self, trace: TraceContext, ctx: &Ctx<Self>) {
        if let Some(parameters) = self.payment_parameters() {
            let question = |reply| PaymentsRequest::Request {
                parameters,
                trace,
                reply,
            };
            self.ask_payments(Call::Request, question, SagaEvent::RequestAnswered, ctx);
        }
    }

    fn void_payment(&mut self, trace: TraceContext, ctx: &Ctx<Self>) {
        if let Some(parameters) = self.payment_parameters() {
            let question = |reply| PaymentsRequest::Void {
                parameters,
                trace,
                reply,
            };
            self.ask_payments(Call::Void, question, SagaEvent::VoidAnswered, ctx);
        }
    }

    fn refund_payment(&mut self, trace: TraceContext, ctx: &Ctx<Self>) {
        let order = Arc::clone(&self.state.saga.order);
        let question = |reply| PaymentsRequest::Refund {
            order_id: order.order_id,
            payment_id: order.ids.payment_id,
            trace,
            reply,
        };
        self.ask_payments(Call::Refund, question, SagaEvent::RefundAnswered, ctx);
    }

    /// What to charge. A saga whose stock is held has a quote; without one there is nothing that could be said to payments.
    fn payment_parameters(&self) -> Option<PaymentParameters> {
        let saga = &self.state.saga;
        let Some(quote) = &saga.quote else {
            error!(order_id = %saga.order.order_id, step = saga.step.name(), "the saga has no quote");
            return None;
        };
        Some(PaymentParameters {
            order: Arc::clone(&saga.order),
            quote: Arc::clone(quote),
        })
    }

    fn ask_inventory<T: Send + 'static>(
        &mut self,
        call: Call,
        question: impl FnOnce(Reply<Result<T, CallError>>) -> InventoryRequest,
        event: impl FnOnce(T) -> SagaEvent + Send + 'static,
        ctx: &Ctx<Self>,
    ) {
        let deadline = self.links.limits.inventory_call;
        let callee = self.links.inventory.clone();
        self.ask(&callee, deadline, call, question, event, ctx);
    }

    fn ask_payments<T: Send + 'static>(
        &mut self,
        call: Call,
        question: impl FnOnce(Reply<Result<T, CallError>>) -> PaymentsRequest,
        event: impl FnOnce(T) -> SagaEvent + Send + 'static,
        ctx: &Ctx<Self>,
    ) {
        let deadline = self.links.limits.payments_call;
        let callee = self.links.payments.clone();
        self.ask(&callee, deadline, call, question, event, ctx);
    }

    fn ask<M: Send + 'static, T: Send + 'static>(
        &mut self,
        callee: &Mailbox<M>,
        deadline: Duration,
        call: Call,
        question: impl FnOnce(Reply<Result<T, CallError>>) -> M,
        event: impl FnOnce(T) -> SagaEvent + Send + 'static,
        ctx: &Ctx<Self>,
    ) {
        self.questions += 1;
        let order_id = self.state.saga.order.order_id;
        ctx.ask_then(
            callee,
            deadline,
            question,
            move |answer: Result<Result<T, CallError>, AskError>| {
                let event = match answer {
                    Ok(Ok(answer)) => event(answer),
                    Ok(Err(CallError::Refused)) => {
                        warn!(%order_id, ?call, "refused");
                        SagaEvent::Refused(call)
                    }
                    Ok(Err(error @ CallError::Unavailable)) => {
                        warn!(%order_id, ?call, %error, "no answer");
                        SagaEvent::Unanswered(call)
                    }
                    Err(error) => {
                        warn!(%order_id, ?call, %error, "no answer");
                        SagaEvent::Unanswered(call)
                    }
                };
                CoordinatorMsg::Own(Own::Answered(event))
            },
        );
    }

    fn alert(&self) {
        let saga = &self.state.saga;
        let (order_id, step) = (saga.order.order_id, saga.step.name());
        if saga.saga_state() == SagaState::Stuck {
            error!(%order_id, step, "the saga is stuck and needs an operator");
        } else {
            warn!(%order_id, step, missed_deadlines = saga.missed_deadlines, "the saga hangs");
        }
    }
}
