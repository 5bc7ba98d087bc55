//! Orders and timelines as the gateway sees them.

use order_saga::{CancelReason, OrderStatus};
use prost_types::Timestamp;
use shopapi_proto::orders::v1 as proto;
use time::OffsetDateTime;

use crate::store::{OrderView, TimelineView};

pub(crate) fn order(view: OrderView) -> proto::Order {
    proto::Order {
        order_id: view.order_id.0,
        customer_id: view.customer_id.to_string(),
        status: status(view.status).into(),
        cancel_reason: view
            .cancel_reason
            .map_or(proto::CancelReason::Unspecified, cancel_reason)
            .into(),
        items: view.lines.iter().map(super::line).collect(),
        total_cents: view.total.map(|total| total.0),
        currency: view.currency,
        created_at: Some(timestamp(view.created_at)),
        updated_at: Some(timestamp(view.updated_at)),
        trace_id: view.trace.trace_id().unwrap_or_default(),
        saga_state: view.saga_state.as_str().to_owned(),
        version: view.version.0,
    }
}

pub(crate) fn timeline_entry(view: TimelineView) -> proto::TimelineEntry {
    let status = OrderStatus::ALL
        .iter()
        .find(|known| known.as_str() == view.status)
        .map_or(proto::OrderStatus::Unspecified, |known| status(*known));
    proto::TimelineEntry {
        version: view.version.0,
        status: status.into(),
        saga_step: view.step,
        saga_state: view.saga_state,
        cause: view.cause,
        at: Some(timestamp(view.at)),
    }
}

pub(crate) const fn status(status: OrderStatus) -> proto::OrderStatus {
    match status {
        OrderStatus::Pending => proto::OrderStatus::Pending,
        OrderStatus::AwaitingPayment => proto::OrderStatus::AwaitingPayment,
        OrderStatus::Paid => proto::OrderStatus::Paid,
        OrderStatus::Rejected => proto::OrderStatus::Rejected,
        OrderStatus::CancelPending => proto::OrderStatus::CancelPending,
        OrderStatus::Cancelled => proto::OrderStatus::Cancelled,
        OrderStatus::RefundPending => proto::OrderStatus::RefundPending,
        OrderStatus::Refunded => proto::OrderStatus::Refunded,
    }
}

/// `None` for UNSPECIFIED.
pub(crate) const fn status_of(status: proto::OrderStatus) -> Option<OrderStatus> {
    Some(match status {
        proto::OrderStatus::Unspecified => return None,
        proto::OrderStatus::Pending => OrderStatus::Pending,
        proto::OrderStatus::AwaitingPayment => OrderStatus::AwaitingPayment,
        proto::OrderStatus::Paid => OrderStatus::Paid,
        proto::OrderStatus::Rejected => OrderStatus::Rejected,
        proto::OrderStatus::CancelPending => OrderStatus::CancelPending,
        proto::OrderStatus::Cancelled => OrderStatus::Cancelled,
        proto::OrderStatus::RefundPending => OrderStatus::RefundPending,
        proto::OrderStatus::Refunded => OrderStatus::Refunded,
    })
}

const fn cancel_reason(reason: CancelReason) -> proto::CancelReason {
    match reason {
        CancelReason::PaymentDeclined => proto::CancelReason::PaymentDeclined,
        CancelReason::PaymentTimeout => proto::CancelReason::PaymentTimeout,
        CancelReason::UserRequested => proto::CancelReason::UserRequested,
        CancelReason::InventoryUnavailable => proto::CancelReason::InventoryUnavailable,
        CancelReason::Operator => proto::CancelReason::Operator,
    }
}

pub(super) fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: at.unix_timestamp(),
        // Below a thousand million, which an i32 holds.
        nanos: i32::try_from(at.nanosecond()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_the_wire() {
        for known in OrderStatus::ALL {
            assert_eq!(status_of(status(*known)), Some(*known));
        }
    }
}
