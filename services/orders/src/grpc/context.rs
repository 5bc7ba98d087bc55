//! Trace context at the door.

use actor_kit::TraceContext;
use shopapi_proto::headers::TRACEPARENT;
use tonic::Request;
use tracing::{Span, info_span};

/// The span of one call, in the caller's trace.
pub(super) fn span<T>(request: &Request<T>, method: &'static str) -> (Span, TraceContext) {
    let caller = request
        .metadata()
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .and_then(TraceContext::from_traceparent)
        .unwrap_or_default();
    caller.child(|| {
        info_span!(
            "rpc",
            otel.name = format_args!("shopapi.orders.v1.OrdersService/{method}"),
            otel.kind = "server",
            rpc.system = "grpc",
            rpc.service = "shopapi.orders.v1.OrdersService",
            rpc.method = method,
            order.id = tracing::field::Empty,
        )
    })
}
