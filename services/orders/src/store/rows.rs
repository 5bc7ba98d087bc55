//! From rows to values.

use std::sync::Arc;

use actor_kit::TraceContext;
use order_saga::saga::SagaDetails;
use order_saga::{
    CancelReason, Cents, CustomerId, Found, Installation, Line, Order, OrderId, OrderStatus,
    PaymentMethod, PricedLine, Quote, Saga, SagaIds, SagaState, Snapshot, StoreUnavailable,
    Version,
};
use orders_sql::queries::reads::{GetTimeline, OrderRow};
use orders_sql::queries::sagas::StoredSaga;
use time::OffsetDateTime;
use tracing::error;

/// A row that does not say what this program writes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    /// A JSON column.
    #[error("column {0}: {1}")]
    Json(&'static str, serde_json::Error),
    /// A code that this program does not know.
    #[error("column {0} has an unknown code")]
    Code(&'static str),
}

fn json<T: serde::de::DeserializeOwned>(column: &'static str, text: &str) -> Result<T, RowError> {
    serde_json::from_str(text).map_err(|error| RowError::Json(column, error))
}

/// The sagas, each as far as it can be understood.
pub(super) fn found(stored: Vec<StoredSaga>, installation: Installation) -> Vec<Found> {
    stored
        .into_iter()
        .map(|row| {
            let order_id = OrderId(row.order_id);
            match snapshot(row, installation) {
                Ok(snapshot) => Found::Saga(snapshot),
                Err(error) => {
                    misunderstood(order_id, &error);
                    Found::Unreadable(order_id)
                }
            }
        })
        .collect()
}

/// Logs a row that cannot be understood; for its reader it is not available.
pub(super) fn misunderstood(order_id: OrderId, error: &RowError) -> StoreUnavailable {
    error!(%order_id, %error, "the order's row cannot be understood");
    StoreUnavailable
}

fn snapshot(row: StoredSaga, installation: Installation) -> Result<Snapshot, RowError> {
    let order_id = OrderId(row.order_id);
    let order = Order {
        order_id,
        customer_id: CustomerId(row.customer_id),
        lines: json::<Vec<Line>>("lines", &row.lines)?.into(),
        payment_method: PaymentMethod::new(&row.payment_method),
        ids: SagaIds::derive(installation, order_id),
        trace: row
            .traceparent
            .as_deref()
            .and_then(TraceContext::from_traceparent)
            .unwrap_or_default(),
    };
    let quote = match (row.total_cents, row.currency, row.quote) {
        (Some(total), Some(currency), Some(lines)) => Some(Arc::new(Quote {
            total: Cents(total),
            currency: currency.parse().map_err(|_| RowError::Code("currency"))?,
            lines: json::<Vec<PricedLine>>("quote", &lines)?,
        })),
        _ => None,
    };
    let details: SagaDetails = json("details", &row.details)?;
    Ok(Snapshot {
        saga: Saga::restore(Arc::new(order), Version(row.version), quote, details),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// An order as its customer sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderView {
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: CustomerId,
    pub(crate) status: OrderStatus,
    pub(crate) saga_state: SagaState,
    pub(crate) cancel_reason: Option<CancelReason>,
    pub(crate) lines: Vec<Line>,
    pub(crate) total: Option<Cents>,
    pub(crate) currency: Option<String>,
    pub(crate) trace: TraceContext,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) updated_at: OffsetDateTime,
    pub(crate) version: Version,
}

fn coded<T: Copy>(
    column: &'static str,
    all: &[T],
    as_str: fn(T) -> &'static str,
    code: &str,
) -> Result<T, RowError> {
    all.iter()
        .copied()
        .find(|value| as_str(*value) == code)
        .ok_or(RowError::Code(column))
}

impl TryFrom<OrderRow> for OrderView {
    type Error = RowError;

    fn try_from(row: OrderRow) -> Result<Self, RowError> {
        let cancel_reason = row
            .cancel_reason
            .as_deref()
            .map(|code| {
                coded(
                    "cancel_reason",
                    CancelReason::ALL,
                    CancelReason::as_str,
                    code,
                )
            })
            .transpose()?;
        Ok(Self {
            order_id: OrderId(row.order_id),
            customer_id: CustomerId(row.customer_id),
            status: coded("status", OrderStatus::ALL, OrderStatus::as_str, &row.status)?,
            saga_state: coded(
                "saga_state",
                SagaState::ALL,
                SagaState::as_str,
                &row.saga_state,
            )?,
            cancel_reason,
            lines: json("lines", &row.lines)?,
            total: row.total_cents.map(Cents),
            currency: row.currency,
            trace: row
                .traceparent
                .as_deref()
                .and_then(TraceContext::from_traceparent)
                .unwrap_or_default(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: Version(row.version),
        })
    }
}

impl From<&Snapshot> for OrderView {
    fn from(snapshot: &Snapshot) -> Self {
        let saga = &snapshot.saga;
        Self {
            order_id: saga.order.order_id,
            customer_id: saga.order.customer_id,
            status: saga.status(),
            saga_state: saga.saga_state(),
            cancel_reason: saga.cancel_reason(),
            lines: saga.order.lines.to_vec(),
            total: saga.quote.as_ref().map(|quote| quote.total),
            currency: saga
                .quote
                .as_ref()
                .map(|quote| quote.currency.as_str().to_owned()),
            trace: saga.order.trace.clone(),
            created_at: snapshot.created_at,
            updated_at: snapshot.updated_at,
            version: saga.version,
        }
    }
}

/// One transition as its customer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimelineView {
    pub(crate) version: Version,
    /// A code of [`OrderStatus`].
    pub(crate) status: String,
    pub(crate) step: String,
    /// A code of [`SagaState`].
    pub(crate) saga_state: String,
    pub(crate) cause: String,
    pub(crate) at: OffsetDateTime,
}

impl From<GetTimeline> for TimelineView {
    fn from(row: GetTimeline) -> Self {
        Self {
            version: Version(row.version),
            status: row.status,
            step: row.step,
            saga_state: row.saga_state,
            cause: row.cause,
            at: row.at,
        }
    }
}
