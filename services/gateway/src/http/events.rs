//! The transitions of an order as they happen, as server-sent events.
//!
//! Each event's `id` is the order's version, so a client that reconnects with `Last-Event-ID` misses nothing and sees nothing twice.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use shopapi_proto::orders::v1::{WatchOrderRequest, WatchOrderResponse};
use tokio::time::sleep;
use tonic::Status;
use tracing::{Span, debug};

use super::Shared;
use super::extract::{Caller, OrderId};
use super::headers::LAST_EVENT_ID;
use super::model::TimelineEntry;
use super::orders::ask;
use super::problem::{Kind, Problem, ProblemDocument};
use super::streams::NoPlace;
use crate::config::Limits;
use crate::orders_client::OrdersCall;

/// Watch an order.
///
/// Server-sent events named `transition`, whose data is a timeline entry; the stream ends after the order's final one, and after a
/// quarter of an hour in any case. Past transitions come first, from the one after `Last-Event-ID`, so who comes back misses nothing.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{id}/events",
    tag = "orders",
    params(
        ("id" = i64, Path, description = "The order"),
        ("Last-Event-ID" = Option<i64>, Header, description = "The last version seen; only later ones are sent"),
    ),
    responses(
        (status = 200, description = "The stream", body = TimelineEntry, content_type = "text/event-stream"),
        (status = 400, description = "invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "unauthenticated", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "order-not-found", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "too-many-streams; Retry-After says when to come back", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("user" = [])),
)]
pub(crate) async fn events(
    State(api): State<Shared>,
    Caller(customer): Caller,
    OrderId(order_id): OrderId,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Span::current().record("order.id", order_id);
    let after_version = last_event_id(&headers)?;
    let place = api
        .streams
        .enter(customer)
        .map_err(|why| no_place(why, &api.limits))?;
    let request = WatchOrderRequest {
        customer_id: customer.to_string(),
        order_id,
        after_version,
    };
    let stream = ask(&api, |reply| OrdersCall::Watch { request, reply }).await?;
    let events = stream
        .map(to_event)
        // An error ends the stream; the client reconnects with the last id it saw.
        .take_while(|event| std::future::ready(event.is_some()))
        .filter_map(std::future::ready)
        .map(Ok::<_, Infallible>)
        .take_until(api.draining.clone().cancelled_owned())
        .take_until(sleep(api.limits.stream_lifetime))
        .map(move |event| {
            // The place is taken for as long as the stream lives.
            let _place = &place;
            event
        });
    let heartbeat = KeepAlive::new().interval(api.limits.stream_heartbeat);
    Ok(Sse::new(events).keep_alive(heartbeat).into_response())
}

fn no_place(why: NoPlace, limits: &Limits) -> Problem {
    let (kind, advice) = match why {
        NoPlace::Full => (
            Kind::Overloaded,
            "Too many event streams are open. Read the timeline instead, or try again later.",
        ),
        NoPlace::Enough => (
            Kind::TooManyStreams,
            "You have as many event streams open as one customer may. Close one, or read the timeline instead.",
        ),
    };
    Problem::new(kind, advice).retry_after(limits.stream_heartbeat)
}

fn last_event_id(headers: &HeaderMap) -> Result<i64, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(0);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|version| *version >= 0)
        .ok_or_else(|| {
            Problem::invalid_one(
                "header:Last-Event-ID",
                "must be the `id` of an event of this order",
            )
        })
}

/// `None` ends the stream.
fn to_event(item: Result<WatchOrderResponse, Status>) -> Option<Event> {
    let response = item
        .inspect_err(|status| debug!(code = ?status.code(), "event stream ended by orders"))
        .ok()?;
    let entry = TimelineEntry::try_from(response.entry?).ok()?;
    Event::default()
        .id(entry.version.to_string())
        .event("transition")
        .json_data(&entry)
        .ok()
}
