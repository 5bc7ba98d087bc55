//! Sagas, dead letters and acts as operators see them.

use orders_sql::queries::admin as sql;
use prost_types::Timestamp;
use shopapi_proto::admin::v1 as proto;
use time::OffsetDateTime;

use super::orders::timestamp;
use crate::operators::SagaView;

pub(crate) fn saga(row: sql::SagaRow) -> proto::Saga {
    proto::Saga {
        order_id: row.order_id,
        version: row.version,
        status: row.status,
        saga_state: row.saga_state,
        step: row.step,
        stuck_at: row.stuck_at.unwrap_or_default(),
        stuck_reason: row.stuck_reason.unwrap_or_default(),
        cancel_reason: row.cancel_reason.unwrap_or_default(),
        created_at: Some(timestamp(row.created_at)),
        updated_at: Some(timestamp(row.updated_at)),
        wake_in_seconds: row.wake_in_secs,
    }
}

pub(crate) fn saga_with_history(view: SagaView) -> proto::GetSagaResponse {
    let entry = |row: sql::SagaTimeline| proto::TimelineEntry {
        version: row.version,
        status: row.status,
        step: row.step,
        saga_state: row.saga_state,
        cause: row.cause,
        at: Some(timestamp(row.at)),
    };
    proto::GetSagaResponse {
        saga: Some(saga(view.row)),
        timeline: view.timeline.into_iter().map(entry).collect(),
        acts: view.acts.into_iter().map(act).collect(),
        payment_id: view.ids.payment_id.to_string(),
        reservation_id: view.ids.reservation_id.to_string(),
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
