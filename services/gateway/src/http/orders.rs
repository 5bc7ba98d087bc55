//! Orders: place, read, cancel, refund. The customer is always the token's.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use shopapi_proto::common::v1::Line as WireLine;
use shopapi_proto::orders::v1::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, GetTimelineRequest, ListOrdersRequest,
    RefundOrderRequest,
};
use tracing::Span;

use super::Shared;
use super::errors::{Subject, from_ask, from_status, refused_order};
use super::extract::{Caller, JsonBody, OrderId, Params, page_size};
use super::headers::{IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED, idempotency_key, prefer_wait};
use super::model::{Order, OrderPage, OrderStatus, Timeline, TimelineEntry, order};
use super::new_order::NewOrder;
use super::problem::{Problem, ProblemDocument};
use crate::orders_client::OrdersCall;
use crate::rpc::Answer;

/// Place an order.
///
/// Answers when stock has answered, or with the order's final state when that comes within `Prefer: wait=N` seconds (30 at most).
#[utoipa::path(
    post,
    path = "/api/v1/orders",
    tag = "orders",
    request_body = NewOrder,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable characters; a repeat of the same request answers the same order"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the final state"),
    ),
    responses(
        (status = 201, description = "Placed; Location names it", body = Order),
        (status = 202, description = "Taken, while stock does not answer; Location names it", body = Order),
        (status = 400, description = "malformed-json, invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "customer-mismatch", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "out-of-stock with `order_id` and `lines`, order-refused", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "body-too-large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "unsupported-media-type", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "idempotency-key-reused, unknown-sku, mixed-currency, total-out-of-range", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable; Retry-After says when", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn create(
    State(api): State<Shared>,
    Caller(customer): Caller,
    headers: HeaderMap,
    JsonBody(new_order): JsonBody<NewOrder>,
) -> Result<Response, Problem> {
    new_order.check(customer, &api.limits)?;
    let key = idempotency_key(&headers)?.unwrap_or_default().to_owned();
    let wait = prefer_wait(&headers, api.limits.wait_max);
    let request_fingerprint = new_order.fingerprint();
    let request = CreateOrderRequest {
        customer_id: customer.to_string(),
        items: new_order
            .items
            .into_iter()
            .map(|line| WireLine {
                sku: line.sku,
                quantity: line.quantity,
            })
            .collect(),
        payment_method: new_order.payment_method,
        idempotency_key: key,
        request_fingerprint,
        wait_ms: wait.map_or(0, |wait| {
            i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
        }),
    };
    let deadline = api
        .limits
        .create_answer_deadline(wait.unwrap_or(Duration::ZERO));
    let created = api
        .orders
        .ask(deadline, |reply| OrdersCall::Create { request, reply })
        .await
        .map_err(|error| from_ask(Subject::NewOrder, error))?
        .map_err(|status| {
            if let Some(order_id) = refused_order(&status) {
                Span::current().record("order.id", order_id);
            }
            from_status(Subject::NewOrder, &status)
        })?;
    let order = order(created.order)?;
    Span::current().record("order.id", order.order_id);
    let status = match order.status {
        OrderStatus::Pending => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let mut response = (status, Json(&order)).into_response();
    let answer = response.headers_mut();
    answer.insert(header::LOCATION, location(order.order_id));
    if let Some(wait) = wait {
        let applied = HeaderValue::from_str(&format!("wait={}", wait.as_secs()));
        if let Ok(applied) = applied {
            answer.insert(PREFERENCE_APPLIED, applied);
        }
    }
    if created.replayed {
        answer.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Get an order.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{id}",
    tag = "orders",
    params(("id" = i64, Path, description = "The order")),
    responses(
        (status = 200, description = "The order", body = Order),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "order-not-found: absent or somebody else's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn get(
    State(api): State<Shared>,
    Caller(customer): Caller,
    OrderId(order_id): OrderId,
) -> Result<Json<Order>, Problem> {
    Span::current().record("order.id", order_id);
    let request = GetOrderRequest {
        customer_id: customer.to_string(),
        order_id,
    };
    let found = ask(&api, |reply| OrdersCall::Get { request, reply }).await?;
    order(found.order).map(Json)
}

/// Which page of the orders.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrdersQuery {
    /// Only orders with this status.
    status: Option<OrderStatus>,
    /// 1 to 100; 20 when left out.
    limit: Option<i32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List your orders, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/orders",
    tag = "orders",
    params(OrdersQuery),
    responses(
        (status = 200, description = "A page of orders", body = OrderPage),
        (status = 400, description = "invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    Caller(customer): Caller,
    Params(query): Params<OrdersQuery>,
) -> Result<Json<OrderPage>, Problem> {
    let before_order_id = match query.cursor.as_deref() {
        None | Some("") => 0,
        Some(cursor) => cursor.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
            Problem::invalid_one("query:cursor", "must be a `next_cursor` of this list")
        })?,
    };
    let request = ListOrdersRequest {
        customer_id: customer.to_string(),
        status: query.status.map_or(0, |status| status.to_proto() as i32),
        limit: page_size(query.limit)?,
        before_order_id,
    };
    let page = ask(&api, |reply| OrdersCall::List { request, reply }).await?;
    let orders = page
        .orders
        .into_iter()
        .map(Order::try_from)
        .collect::<Result<_, _>>()?;
    let next = page.next_before_order_id;
    Ok(Json(OrderPage {
        orders,
        next_cursor: (next > 0).then(|| next.to_string()),
    }))
}

/// Get every transition of an order, with its cause.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{id}/timeline",
    tag = "orders",
    params(("id" = i64, Path, description = "The order")),
    responses(
        (status = 200, description = "The transitions, oldest first", body = Timeline),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "order-not-found", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn timeline(
    State(api): State<Shared>,
    Caller(customer): Caller,
    OrderId(order_id): OrderId,
) -> Result<Json<Timeline>, Problem> {
    Span::current().record("order.id", order_id);
    let request = GetTimelineRequest {
        customer_id: customer.to_string(),
        order_id,
    };
    let found = ask(&api, |reply| OrdersCall::Timeline { request, reply }).await?;
    let entries = found
        .entries
        .into_iter()
        .map(TimelineEntry::try_from)
        .collect::<Result<_, _>>()?;
    Ok(Json(Timeline { order_id, entries }))
}

/// Cancel an order that is not paid.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{id}/cancel",
    tag = "orders",
    params(("id" = i64, Path, description = "The order")),
    responses(
        (status = 202, description = "The order is being cancelled", body = Order),
        (status = 200, description = "It was cancelled or being cancelled before", body = Order),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "order-not-found", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "already-paid, not-cancellable", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn cancel(
    State(api): State<Shared>,
    Caller(customer): Caller,
    OrderId(order_id): OrderId,
) -> Result<Response, Problem> {
    Span::current().record("order.id", order_id);
    let request = CancelOrderRequest {
        customer_id: customer.to_string(),
        order_id,
    };
    let answer = ask(&api, |reply| OrdersCall::Cancel { request, reply }).await?;
    Ok(under_way(&order(answer.order)?, answer.unchanged))
}

/// Get the money of a paid order back.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{id}/refund",
    tag = "orders",
    params(("id" = i64, Path, description = "The order")),
    responses(
        (status = 202, description = "The order is being refunded", body = Order),
        (status = 200, description = "It was refunded or being refunded before", body = Order),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "order-not-found", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "not-refundable", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn refund(
    State(api): State<Shared>,
    Caller(customer): Caller,
    OrderId(order_id): OrderId,
) -> Result<Response, Problem> {
    Span::current().record("order.id", order_id);
    let request = RefundOrderRequest {
        customer_id: customer.to_string(),
        order_id,
    };
    let answer = ask(&api, |reply| OrdersCall::Refund { request, reply }).await?;
    Ok(under_way(&order(answer.order)?, answer.unchanged))
}

/// 202 with the order and where to look at it; 200 when what was asked for holds already.
fn under_way(order: &Order, unchanged: bool) -> Response {
    let status = if unchanged {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let mut response = (status, Json(order)).into_response();
    response
        .headers_mut()
        .insert(header::LOCATION, location(order.order_id));
    response
}

fn location(order_id: i64) -> HeaderValue {
    // Digits and slashes always make a header value.
    HeaderValue::from_str(&format!("/api/v1/orders/{order_id}"))
        .unwrap_or(HeaderValue::from_static("/api/v1/orders"))
}

/// Asks the orders client about an existing order.
pub(crate) async fn ask<T: Send + 'static>(
    api: &Shared,
    message: impl FnOnce(actor_kit::Reply<Answer<T>>) -> OrdersCall + Send,
) -> Result<T, Problem> {
    api.orders
        .ask(api.limits.answer_deadline(), message)
        .await
        .map_err(|error| from_ask(Subject::Order, error))?
        .map_err(|status| from_status(Subject::Order, &status))
}
