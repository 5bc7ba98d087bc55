//! Around every request: its span, its deadline, and a last resort for panics.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actor_kit::TraceContext;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use shopapi_proto::headers::TRACEPARENT;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, error, info_span, warn};

use super::client_address::Peer;
use super::errors::internal;
use super::problem::{Kind, Problem};
use super::{Shared, measure};
use crate::proxies::TrustedProxies;

const TRACEPARENT_HEADER: HeaderName = HeaderName::from_static(TRACEPARENT);
/// Time for what is neither reading the body nor waiting for a service.
const OWN_WORK: Duration = Duration::from_secs(5);

/// The outermost layer.
pub(crate) async fn around(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let span = span_of(&api.proxies, &request);
    let limits = &api.limits;
    let deadline = limits.body_deadline + limits.create_answer_deadline(limits.wait_max) + OWN_WORK;
    let handled = AssertUnwindSafe(tokio::time::timeout(deadline, next.run(request)))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let response = span.in_scope(|| match handled {
        Ok(Ok(response)) => response,
        Ok(Err(_elapsed)) => {
            warn!("request took too long");
            Problem::new(
                Kind::Unavailable,
                "It took too long, and it is not known what was done. Repeat a new order with the same Idempotency-Key; \
                 without a key, look at your orders first. Anything else is safe to repeat.",
            )
            .retry_after(Duration::from_secs(1))
            .into_response()
        }
        // The panic hook has logged where; the text may quote data.
        Err(_panic) => {
            error!("a request handler panicked");
            internal().into_response()
        }
    });
    let mut response = response;
    harden(response.headers_mut());
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    measure::request(&method, route, response.status().as_u16(), began.elapsed());
    response
}

/// What a browser is told about every answer. Most answers are about one customer or are data for programs: nothing keeps them, nothing runs
/// in them, nobody frames them. A handler that knows better has set its own.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Callers may send any word as a method and any path: neither gets into a name.
fn span_name(method: &'static str, route: Option<&str>) -> String {
    let method = match method {
        measure::OTHER_METHOD => "HTTP",
        known => known,
    };
    route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"))
}

/// The request's span, by the semantic conventions: the route and never the path, which holds ids.
///
/// A caller's trace context is a link, not a parent: whoever could choose the parent would choose what is sampled, and whose trace the
/// request is part of. A proxy of ours is believed.
fn span_of(proxies: &TrustedProxies, request: &Request) -> Span {
    let method = measure::name_of(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map(MatchedPath::as_str);
    let span = info_span!(
        "http",
        otel.name = span_name(method, route),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        order.id = Empty,
    );
    let caller = request
        .headers()
        .get(TRACEPARENT_HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(TraceContext::from_traceparent);
    let peer = request.extensions().get::<Peer>();
    let is_ours = peer.is_some_and(|peer| proxies.trusts(peer.0));
    match caller {
        Some(caller) if is_ours => caller.parent_of(&span),
        Some(caller) => caller.link_to(&span),
        None => {}
    }
    span
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    #[test]
    fn a_callers_words_are_not_in_a_spans_name() {
        let named = |method: &Method, route| span_name(measure::name_of(method), route);
        let other = Method::from_bytes(b"SHOUT").unwrap();
        assert_eq!(named(&Method::GET, Some("/livez")), "GET /livez");
        assert_eq!(named(&Method::GET, None), "GET");
        assert_eq!(named(&other, None), "HTTP");
        assert_eq!(named(&other, Some("/livez")), "HTTP /livez");
    }
}
