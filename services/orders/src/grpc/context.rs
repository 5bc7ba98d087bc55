//! Trace context at the door.

use std::future::Future;

use actor_kit::TraceContext;
use shopapi_proto::headers::TRACEPARENT;
use shopapi_rpc::code_name;
use tonic::{Code, Request, Status};
use tracing::field::Empty;
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
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = format_args!("shopapi.orders.v1.OrdersService/{method}"),
            rpc.response.status_code = Empty,
            order.id = Empty,
        )
    })
}

/// Runs one call in its span, or in its trace where that has none, and notes how it ended. A refusal is an answer; what the semantic
/// conventions hold a server to is an error.
pub(super) async fn answer<A>(
    (span, trace): (Span, TraceContext),
    order_id: Option<i64>,
    call: impl Future<Output = Result<A, Status>>,
) -> Result<A, Status> {
    let answer = trace.scope(span.clone(), order_id, call).await;
    let code = answer.as_ref().err().map_or(Code::Ok, Status::code);
    span.record("rpc.response.status_code", code_name(code));
    if is_failure(code) {
        span.record("otel.status_code", "ERROR");
    }
    answer
}

fn is_failure(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
