//! What people and scripts read: Jaeger's query API and the page on one port, the metrics on another.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::jaeger;
use super::model::TraceId;
use super::otlp::Kept;
use super::prometheus;

/// The metrics, as the Collector's Prometheus exporter serves them.
pub fn metrics(kept: Kept) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(async || "ok\n"))
        .with_state(kept)
}

async fn metrics_page(State(kept): State<Kept>) -> Response {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    let page = prometheus::page(kept.metrics().current(Instant::now()));
    ([(header::CONTENT_TYPE, TEXT)], page).into_response()
}

/// Jaeger's query API, and what the page asks besides.
pub fn api(kept: Kept) -> Router {
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{service}/operations", get(operations))
        .route("/api/operations", get(operations_with_kinds))
        .route("/api/traces", get(find))
        .route("/api/traces/{id}", get(one))
        .route("/console/traces", get(list))
        .route("/console/traces/{id}/logs", get(lines))
        .route("/console/fill", get(fill))
        .route("/healthz", get(async || "ok\n"))
        .with_state(kept)
}

fn now_ns() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0))
}

fn refused(code: StatusCode, text: &str) -> Response {
    (code, Json(jaeger::refusal(code.as_u16(), text))).into_response()
}

async fn services(State(kept): State<Kept>) -> Json<Value> {
    let services = kept.traces().services();
    let names: Vec<Value> = services.into_iter().map(Value::from).collect();
    Json(jaeger::answer(&names))
}

async fn operations(State(kept): State<Kept>, Path(service): Path<String>) -> Json<Value> {
    let mut names: Vec<String> = kept
        .traces()
        .operations(&service)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.dedup();
    let names: Vec<Value> = names.into_iter().map(Value::from).collect();
    Json(jaeger::answer(&names))
}

#[derive(Deserialize)]
struct OfService {
    service: String,
}

async fn operations_with_kinds(
    State(kept): State<Kept>,
    asked: Result<Query<OfService>, QueryRejection>,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return refused(StatusCode::BAD_REQUEST, "say service=NAME");
    };
    let operations = kept.traces().operations(&asked.service);
    let data: Vec<Value> = operations
        .into_iter()
        .map(|(name, kind)| json!({ "name": name, "spanKind": kind }))
        .collect();
    Json(jaeger::answer(&data)).into_response()
}

/// Finds traces and shows each one in a form.
fn found(
    kept: &Kept,
    asked: Result<Query<jaeger::Query>, QueryRejection>,
    show: fn(TraceId, &super::store::Trace) -> Value,
) -> Response {
    let search = match asked {
        Ok(Query(query)) => query.search(now_ns()),
        Err(error) => Err(error.body_text()),
    };
    match search {
        Ok(search) => {
            let store = kept.traces();
            let found = store.find(&search);
            let data: Vec<Value> = found
                .into_iter()
                .map(|(id, trace)| show(id, trace))
                .collect();
            Json(jaeger::answer(&data)).into_response()
        }
        Err(text) => refused(StatusCode::BAD_REQUEST, &text),
    }
}

async fn find(
    State(kept): State<Kept>,
    asked: Result<Query<jaeger::Query>, QueryRejection>,
) -> Response {
    found(&kept, asked, jaeger::trace)
}

async fn list(
    State(kept): State<Kept>,
    asked: Result<Query<jaeger::Query>, QueryRejection>,
) -> Response {
    found(&kept, asked, jaeger::summary)
}

async fn one(State(kept): State<Kept>, Path(id): Path<String>) -> Response {
    let store = kept.traces();
    let known = TraceId::parse(&id).and_then(|id| Some((id, store.get(id)?)));
    match known {
        // Lines alone are no trace.
        Some((id, trace)) if !trace.spans.is_empty() => {
            Json(jaeger::answer(&[jaeger::trace(id, trace)])).into_response()
        }
        _ => refused(StatusCode::NOT_FOUND, "trace not found"),
    }
}

async fn lines(State(kept): State<Kept>, Path(id): Path<String>) -> Json<Value> {
    let store = kept.traces();
    let known = TraceId::parse(&id).and_then(|id| store.get(id));
    let lines = known.map(|trace| trace.lines.iter().map(jaeger::line).collect::<Vec<_>>());
    Json(jaeger::answer(&lines.unwrap_or_default()))
}

async fn fill(State(kept): State<Kept>) -> Json<Value> {
    let fill = kept.traces().fill();
    Json(json!({
        "traces": fill.traces,
        "spans": fill.spans,
        "bytes": fill.bytes,
        "forgotten": fill.forgotten,
    }))
}
