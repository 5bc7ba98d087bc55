//! Payments, dead letters and acts as operators see them.

use payment::Payment;
use payments_sql::queries::admin as sql;
use prost_types::Timestamp;
use shopapi_proto::admin::v1 as proto;
use time::OffsetDateTime;

fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: at.unix_timestamp(),
        // Below a thousand million, which an i32 holds.
        nanos: i32::try_from(at.nanosecond()).unwrap_or_default(),
    }
}

pub(crate) fn payment(payment: &Payment) -> proto::AdminPayment {
    proto::AdminPayment {
        payment_id: payment.id().to_string(),
        order_id: payment.request.order_id.0,
        version: payment.version,
        state: payment.state.as_str().to_owned(),
        refund_state: payment.refund.as_str().to_owned(),
        reason: payment.reason.clone().unwrap_or_default(),
        amount_cents: payment.request.amount.0,
        currency: payment.request.currency.clone(),
        attempt: payment.attempt,
        refund_attempt: payment.refund_attempt,
        late_capture: payment.late_capture,
    }
}

pub(crate) fn act(row: sql::ListActions) -> proto::RecordedAct {
    proto::RecordedAct {
        who: row.who,
        why: row.why,
        action: row.action,
        outcome: row.outcome,
        detail: row.detail,
        at: Some(timestamp(row.created_at)),
    }
}

pub(crate) fn letter(row: sql::LetterRow) -> proto::DeadLetter {
    let at = |at: Option<OffsetDateTime>| -> Option<Timestamp> { at.map(timestamp) };
    proto::DeadLetter {
        letter_id: row.letter_id.to_string(),
        stream: row.stream,
        consumer: row.consumer,
        subject: row.subject,
        event_id: row.event_id.map(|id| id.to_string()),
        schema_version: row.schema_version,
        aggregate_seq: row.aggregate_seq,
        reason: row.reason,
        detail: row.detail,
        delivered: row.delivered,
        payload_bytes: row.payload_bytes,
        created_at: Some(timestamp(row.created_at)),
        replayed_at: at(row.replayed_at),
        discarded_at: at(row.discarded_at),
        discarded_by: row.discarded_by.unwrap_or_default(),
    }
}

pub(crate) fn outbox(row: sql::OutboxStatus) -> proto::OutboxStatusResponse {
    proto::OutboxStatusResponse {
        unpublished: row.unpublished,
        oldest_unpublished_seconds: row.oldest_secs,
        open_dead_letters: row.open_letters,
    }
}
