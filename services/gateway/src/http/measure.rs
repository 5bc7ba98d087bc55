//! What requests cost: `http_requests_total{method,route,status}` and
//! `http_server_request_duration_seconds{http_route,http_request_method,http_response_status_code}`.
//!
//! Routes are the router's patterns, so there are few; attributes are made once for each.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;

use axum::http::Method;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::{KeyValue, global};

static REQUESTS: LazyLock<Requests> = LazyLock::new(|| {
    let meter = global::meter("shopapi-gateway");
    Requests {
        count: meter
            .u64_counter("http_requests")
            .with_description("Requests by method, route and status")
            .build(),
        duration: meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("How long a request took until its answer began")
            .build(),
        known: RwLock::default(),
    }
});

struct Requests {
    count: Counter<u64>,
    duration: Histogram<f64>,
    /// By method and status.
    known: RwLock<HashMap<(&'static str, u16), Routes>>,
}

/// The attributes of each route.
type Routes = HashMap<Box<str>, Arc<Attributes>>;

struct Attributes {
    count: [KeyValue; 3],
    /// Without a route when none matched.
    duration: Vec<KeyValue>,
}

/// A request of `route` (empty when none matched) was answered.
pub(super) fn request(method: &Method, route: &str, status: u16, took: Duration) {
    let attributes = REQUESTS.attributes(name_of(method), route, status);
    REQUESTS.count.add(1, &attributes.count);
    REQUESTS
        .duration
        .record(took.as_secs_f64(), &attributes.duration);
}

impl Requests {
    fn attributes(&self, method: &'static str, route: &str, status: u16) -> Arc<Attributes> {
        let key = (method, status);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(attributes) = known.get(&key).and_then(|routes| routes.get(route)) {
            return Arc::clone(attributes);
        }
        drop(known);
        let code = i64::from(status);
        let mut duration = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.response.status_code", code),
        ];
        if !route.is_empty() {
            duration.push(KeyValue::new("http.route", route.to_owned()));
        }
        let attributes = Arc::new(Attributes {
            count: [
                KeyValue::new("method", method),
                KeyValue::new("route", route.to_owned()),
                KeyValue::new("status", code),
            ],
            duration,
        });
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let routes = known.entry(key).or_default();
        routes.insert(route.into(), Arc::clone(&attributes));
        attributes
    }
}

/// What the semantic conventions call a method that is none of theirs.
pub(super) const OTHER_METHOD: &str = "_OTHER";

/// Callers may send any word as a method; only the known ones become labels.
pub(super) fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER_METHOD,
    }
}
