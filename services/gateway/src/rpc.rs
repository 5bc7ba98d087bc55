//! What both clients share: a call beside the actor that always ends.

use std::future::Future;
use std::time::Duration;

use actor_kit::{Actor, Ctx, Reply};
use shopapi_proto::headers::TRACEPARENT;
use shopapi_rpc::{code_name, idempotent};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use tracing::field::Empty;
use tracing::info_span;

use crate::http::refused_order;

/// What a call came back with.
pub(crate) type Answer<T> = Result<T, Status>;

/// Which call it is, for traces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Method {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    /// What a broken connection means for it.
    pub(crate) repeat: Repeat,
    /// The order that the request names, for traces.
    pub(crate) order_id: Option<i64>,
}

/// May a call be repeated on another replica although the first one may have executed it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It reads, or names what it changes: twice is as good as once.
    Harmless,
    /// Twice would be two orders.
    Never,
}

/// Runs one call beside the actor and answers `reply` exactly once, with the callee's answer or `DEADLINE_EXCEEDED`.
///
/// The message's place in the mailbox stays taken until then: the mailbox's capacity is the bound on calls in flight.
///
/// `order_of` finds the order that only the answer names, for traces.
pub(crate) fn forward<A, Req, Res, Call, Fut>(
    ctx: &Ctx<A>,
    method: Method,
    deadline: Duration,
    message: Req,
    reply: Reply<Answer<Res>>,
    order_of: fn(&Res) -> Option<i64>,
    call: Call,
) where
    A: Actor,
    Req: Send + 'static,
    Res: Send + 'static,
    Call: FnOnce(Request<Req>) -> Fut,
    Fut: Future<Output = Result<Response<Res>, Status>> + Send + 'static,
{
    let (span, here) = ctx.context().child(|| {
        info_span!(
            "rpc",
            otel.name = format_args!("{}/{}", method.service, method.name),
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = format_args!("{}/{}", method.service, method.name),
            rpc.response.status_code = Empty,
            order.id = Empty,
        )
    });
    let mut request = match method.repeat {
        Repeat::Harmless => idempotent(message),
        Repeat::Never => Request::new(message),
    };
    // Tells the callee when nobody waits any more.
    request.set_timeout(deadline);
    let traceparent = here.traceparent();
    if let Some(value) = traceparent.and_then(|text| MetadataValue::try_from(text).ok()) {
        request.metadata_mut().insert(TRACEPARENT, value);
    }
    let permit = ctx.take_permit();
    let answer = call(request);
    let recorded = span.clone();
    let called = async move {
        // A replica may be frozen.
        let answer = match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer.map(Response::into_inner),
            Err(_elapsed) => Err(Status::deadline_exceeded("no answer within the deadline")),
        };
        let code = answer
            .as_ref()
            .map_or_else(Status::code, |_| tonic::Code::Ok);
        recorded.record("rpc.response.status_code", code_name(code));
        let order_id = match &answer {
            Ok(answer) => order_of(answer),
            Err(status) => refused_order(status),
        };
        if let Some(order_id) = order_id.or(method.order_id) {
            recorded.record("order.id", order_id);
        }
        if code != tonic::Code::Ok {
            recorded.record("otel.status_code", "ERROR");
        }
        reply.send(answer);
        drop(permit);
    };
    tokio::spawn(here.scope(span, method.order_id, called));
}
