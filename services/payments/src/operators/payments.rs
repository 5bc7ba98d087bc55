//! Payments: looked at, refunds insisted on, look-ups brought forward.

use payment::ledger::ApplyError;
use payment::{DeskError, Ignored, OrderId, Payment, PaymentId, Refusal};
use payments_sql::queries::admin as sql;

use tracing::Instrument as _;

use super::{Act, AdminError, OperatorDesk, act_span, touches};

/// Payments that one statement wakes: milliseconds of locks.
const WAKE_ROWS: i64 = 1_000;

const NO_PAYMENT: AdminError = AdminError::NotFound("payment");

impl OperatorDesk {
    /// One payment.
    pub(crate) async fn payment(&self, id: PaymentId) -> Result<Payment, AdminError> {
        let found = self.desk.get(&[id]).await.map_err(why_not)?;
        found.into_iter().next().ok_or(NO_PAYMENT)
    }

    /// The payment of an order.
    pub(crate) async fn payment_of(&self, order_id: OrderId) -> Result<Payment, AdminError> {
        let client = self.books.client().await?;
        let found = self
            .books
            .bounded(sql::payment_of_order().bind(&client, &order_id.0).opt())
            .await;
        let id = self.books.settle(client, found)?.ok_or(NO_PAYMENT)?;
        self.payment(PaymentId(id)).await
    }

    /// Has a refund tried once more that the provider refused for good.
    pub(crate) async fn insist_refund(
        &self,
        id: PaymentId,
        expected: i64,
        act: &Act,
    ) -> Result<Payment, AdminError> {
        let action_id = self
            .begin(act, "refund.insist", &id.to_string(), Some(expected))
            .await?;
        let span = act_span("refund.insist");
        let answer = self.desk.insist_refund(id, expected);
        let answer = answer.instrument(span.clone()).await;
        if let Ok(answered) = &answer {
            span.record("order.id", answered.payment.request.order_id.0);
            touches(&span, answered.payment.request.traceparent.as_deref());
        }
        drop(span);
        let insisted = match answer {
            Ok(answered) if answered.ignored == Some(Ignored::RefundKnown) => {
                let refund = answered.payment.refund.as_str();
                let text =
                    format!("only a refused refund can be insisted on; this one is {refund}");
                Err(AdminError::DoesNotFit(text))
            }
            Ok(answered) => Ok(answered.payment),
            Err(error) => Err(why_not(error)),
        };
        let text = insisted
            .as_ref()
            .map(|payment| format!("refund attempt {}", payment.refund_attempt));
        self.end(action_id, text).await;
        insisted
    }

    /// Brings every look-up forward that waits for its time; how many.
    pub(crate) async fn settle_open_attempts(&self, act: &Act) -> Result<usize, AdminError> {
        let action_id = self.begin(act, "attempts.settle", "all", None).await?;
        let span = act_span("attempts.settle");
        let woken = self.wake_look_ups().instrument(span).await;
        let text = woken
            .as_ref()
            .map(|woken| format!("{woken} look-ups brought forward"));
        self.end(action_id, text).await;
        woken
    }

    async fn wake_look_ups(&self) -> Result<usize, AdminError> {
        // From then on a call that was recorded has ended, whether or not anybody could say so.
        let call = (self.policy.charge_deadline + self.policy.grace).as_secs_f64();
        let steps = self.policy.voided_look_ups.len().saturating_sub(1);
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        let mut woken = 0;
        loop {
            let client = self.books.client().await?;
            let page = self
                .books
                .bounded(
                    sql::bring_look_ups_forward()
                        .bind(&client, &call, &steps, &WAKE_ROWS)
                        .all(),
                )
                .await;
            let page = self.books.settle(client, page)?.len();
            woken += page;
            if i64::try_from(page).unwrap_or(i64::MAX) < WAKE_ROWS {
                return Ok(woken);
            }
        }
    }
}

fn why_not(error: DeskError) -> AdminError {
    match error {
        DeskError::Refused(Refusal::NoSuchPayment) => NO_PAYMENT,
        DeskError::Refused(moved @ Refusal::Moved { .. }) => AdminError::Moved(moved.to_string()),
        DeskError::Refused(
            refusal @ (Refusal::ParametersDiffer | Refusal::OrderTaken | Refusal::NotCaptured),
        ) => AdminError::DoesNotFit(refusal.to_string()),
        DeskError::Invalid(_) | DeskError::Apply(ApplyError::Poisoned) => {
            AdminError::DoesNotFit(error.to_string())
        }
        DeskError::Apply(ApplyError::Unavailable | ApplyError::Overloaded) => {
            AdminError::Unavailable("the payment ledger")
        }
    }
}
