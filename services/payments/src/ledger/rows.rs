//! Rows of the books as payments.

use payment::{
    Cents, OrderId, Payment, PaymentId, PaymentMethod, PaymentRequest, PaymentState, RefundState,
};
use payments_sql::queries::ledger::PaymentRow;
use tracing::error;

/// The payment in a row; `None` when a newer schema holds a state that this program does not know.
pub(crate) fn payment(row: &PaymentRow) -> Option<Payment> {
    let states = PaymentState::parse(&row.state).zip(RefundState::parse(&row.refund_state));
    let Some((state, refund)) = states else {
        error!(payment_id = %row.payment_id, state = row.state, refund_state = row.refund_state, "unknown state in the books");
        return None;
    };
    Some(Payment {
        request: PaymentRequest {
            payment_id: PaymentId(row.payment_id),
            order_id: OrderId(row.order_id),
            amount: Cents(row.amount_cents),
            currency: row.currency.clone(),
            payment_method: PaymentMethod::new(row.payment_method.clone()),
            traceparent: row.traceparent.clone(),
        },
        state,
        reason: row.reason.clone(),
        void_requested: row.void_requested,
        version: row.version,
        attempt: row.attempt,
        attempts_left: row.attempts_left,
        look_ups: row.look_ups,
        late_capture: row.late_capture,
        refund,
        refund_attempt: row.refund_attempt,
        refund_tries: row.refund_tries,
    })
}
