//! The JSON of orders and products, and how it comes out of the services' answers.
//!
//! A conversion fails when an answer breaks its contract; that is our own mistake and a 500.

use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use shopapi_proto::{inventory, orders};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::errors::broken_contract;
use super::problem::Problem;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum OrderStatus {
    Pending,
    AwaitingPayment,
    Paid,
    Rejected,
    CancelPending,
    Cancelled,
    RefundPending,
    Refunded,
}

impl OrderStatus {
    /// `None` for a number that has no name here.
    pub(crate) fn from_proto(number: i32) -> Option<Self> {
        use orders::v1::OrderStatus as Wire;
        match Wire::try_from(number).ok()? {
            Wire::Unspecified => None,
            Wire::Pending => Some(Self::Pending),
            Wire::AwaitingPayment => Some(Self::AwaitingPayment),
            Wire::Paid => Some(Self::Paid),
            Wire::Rejected => Some(Self::Rejected),
            Wire::CancelPending => Some(Self::CancelPending),
            Wire::Cancelled => Some(Self::Cancelled),
            Wire::RefundPending => Some(Self::RefundPending),
            Wire::Refunded => Some(Self::Refunded),
        }
    }

    pub(crate) fn to_proto(self) -> orders::v1::OrderStatus {
        use orders::v1::OrderStatus as Wire;
        match self {
            Self::Pending => Wire::Pending,
            Self::AwaitingPayment => Wire::AwaitingPayment,
            Self::Paid => Wire::Paid,
            Self::Rejected => Wire::Rejected,
            Self::CancelPending => Wire::CancelPending,
            Self::Cancelled => Wire::Cancelled,
            Self::RefundPending => Wire::RefundPending,
            Self::Refunded => Wire::Refunded,
        }
    }
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancelReason {
    PaymentDeclined,
    PaymentTimeout,
    UserRequested,
    InventoryUnavailable,
    Operator,
}

fn cancel_reason(number: i32) -> Option<CancelReason> {
    use orders::v1::CancelReason as Wire;
    match Wire::try_from(number).ok()? {
        Wire::Unspecified => None,
        Wire::PaymentDeclined => Some(CancelReason::PaymentDeclined),
        Wire::PaymentTimeout => Some(CancelReason::PaymentTimeout),
        Wire::UserRequested => Some(CancelReason::UserRequested),
        Wire::InventoryUnavailable => Some(CancelReason::InventoryUnavailable),
        Wire::Operator => Some(CancelReason::Operator),
    }
}

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Line {
    #[schema(example = "TEA-GREEN-100")]
    pub(crate) sku: String,
    #[schema(example = 2)]
    pub(crate) quantity: i64,
}

/// A line that could not be covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ShortLine {
    pub(crate) sku: String,
    pub(crate) requested: i64,
    pub(crate) available: i64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Order {
    #[schema(example = 1001)]
    pub(crate) order_id: i64,
    pub(crate) customer_id: String,
    pub(crate) status: OrderStatus,
    /// Set when the order was cancelled or is being cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancel_reason: Option<CancelReason>,
    pub(crate) items: Vec<Line>,
    /// Absent until stock has priced the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_cents: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "EUR")]
    pub(crate) currency: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
    /// Names the order's trace; null when it was not traced.
    pub(crate) trace_id: Option<String>,
}

impl TryFrom<orders::v1::Order> for Order {
    type Error = Problem;

    fn try_from(order: orders::v1::Order) -> Result<Self, Problem> {
        let status = OrderStatus::from_proto(order.status)
            .ok_or_else(|| broken_contract("order without a status"))?;
        let items = order
            .items
            .into_iter()
            .map(|line| Line {
                sku: line.sku,
                quantity: line.quantity,
            })
            .collect();
        Ok(Self {
            order_id: order.order_id,
            customer_id: order.customer_id,
            status,
            cancel_reason: cancel_reason(order.cancel_reason),
            items,
            total_cents: order.total_cents,
            currency: order.currency,
            created_at: rfc3339(order.created_at)?,
            updated_at: rfc3339(order.updated_at)?,
            trace_id: Some(order.trace_id).filter(|id| !id.is_empty()),
        })
    }
}

/// The order that an answer must contain.
pub(crate) fn order(found: Option<orders::v1::Order>) -> Result<Order, Problem> {
    found
        .ok_or_else(|| broken_contract("answer without its order"))?
        .try_into()
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderPage {
    pub(crate) orders: Vec<Order>,
    /// Pass it as `cursor` for the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// One transition of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TimelineEntry {
    /// The order's version after it.
    pub(crate) version: i64,
    pub(crate) status: OrderStatus,
    /// The step of the order's saga, finer than the status.
    #[schema(example = "awaiting_payment")]
    pub(crate) saga_step: String,
    #[schema(example = "RUNNING")]
    pub(crate) saga_state: String,
    /// What made it happen, in a sentence.
    pub(crate) cause: String,
    /// RFC 3339.
    pub(crate) at: String,
}

impl TryFrom<orders::v1::TimelineEntry> for TimelineEntry {
    type Error = Problem;

    fn try_from(entry: orders::v1::TimelineEntry) -> Result<Self, Problem> {
        Ok(Self {
            version: entry.version,
            status: OrderStatus::from_proto(entry.status)
                .ok_or_else(|| broken_contract("timeline entry without a status"))?,
            saga_step: entry.saga_step,
            saga_state: entry.saga_state,
            cause: entry.cause,
            at: rfc3339(entry.at)?,
        })
    }
}

/// Every transition of an order, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    pub(crate) order_id: i64,
    pub(crate) entries: Vec<TimelineEntry>,
}

/// A product as it is sold at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Product {
    #[schema(example = "TEA-GREEN-100")]
    pub(crate) sku: String,
    pub(crate) name: String,
    #[schema(example = 1290)]
    pub(crate) unit_price_cents: i64,
    #[schema(example = "EUR")]
    pub(crate) currency: String,
    /// How many could be ordered at the time of reading.
    pub(crate) available: i64,
}

impl From<inventory::v1::Product> for Product {
    fn from(product: inventory::v1::Product) -> Self {
        Self {
            sku: product.sku,
            name: product.name,
            unit_price_cents: product.unit_price_cents,
            currency: product.currency,
            available: product.available,
        }
    }
}

/// A page of products, by SKU.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductPage {
    pub(crate) products: Vec<Product>,
    /// Pass it as `cursor` for the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

fn rfc3339(timestamp: Option<Timestamp>) -> Result<String, Problem> {
    let timestamp = timestamp.ok_or_else(|| broken_contract("answer without a time"))?;
    let nanos = i128::from(timestamp.seconds) * 1_000_000_000 + i128::from(timestamp.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .ok_or_else(|| broken_contract("time out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_the_way_there_and_back() {
        for number in 1..=8 {
            let status = OrderStatus::from_proto(number).unwrap();
            assert_eq!(status.to_proto() as i32, number);
            let name = format!("\"{}\"", status.to_proto().as_str_name());
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(name.replace("ORDER_STATUS_", ""), json);
        }
        assert_eq!(OrderStatus::from_proto(0), None);
        assert_eq!(OrderStatus::from_proto(99), None);
    }

    #[test]
    fn every_cancel_reason_has_the_name_of_the_contract() {
        for number in 1..=5 {
            let wire = orders::v1::CancelReason::try_from(number).unwrap();
            let json = serde_json::to_string(&cancel_reason(number).unwrap()).unwrap();
            let name = wire
                .as_str_name()
                .replace("CANCEL_REASON_", "")
                .to_lowercase();
            assert_eq!(json, format!("\"{name}\""));
        }
        assert_eq!(cancel_reason(0), None);
    }

    #[test]
    fn a_time_out_of_range_is_an_error_and_not_a_panic() {
        let at = |seconds| rfc3339(Some(Timestamp { seconds, nanos: 5 }));
        assert_eq!(at(0).unwrap(), "1970-01-01T00:00:00.000000005Z");
        assert!(at(i64::MAX).is_err());
        assert!(at(i64::MIN).is_err());
        assert!(rfc3339(None).is_err());
    }
}
