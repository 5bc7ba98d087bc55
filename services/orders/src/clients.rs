//! Clients of the services that orders commands: one actor each, which owns the channel to all replicas of its callee.
//!
//! ```text
//!   coordinators ── one command each ──▶ client ──▶ lane per method ──▶ one `repeated` call ──▶ service
//!                                                   what waits while    one result per item
//!                                                   calls are under way
//!                                                   is the next call
//! ```
//!
//! At least once: a call without an answer may have been executed, and every command is idempotent by its id, so the channel may repeat it on another replica.

mod inventory;
mod lane;
mod payments;

pub(crate) use inventory::InventoryClient;
pub(crate) use payments::PaymentsClient;

use std::future::Future;
use std::time::Duration;

use actor_kit::{Permit, Reply, TraceContext};
use order_saga::{CallError, OrderId};
use tonic::Status;
use tracing::field::Empty;
use tracing::{Span, error, info_span, warn};

/// The numbers of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    /// Calls at once to one method.
    pub(crate) calls_max: usize,
    /// Items in one call.
    pub(crate) items_max: usize,
    /// How long one call may take; tonic's own timeout does not cover waiting for a reconnect.
    pub(crate) deadline: Duration,
    /// Bytes of one message, each way.
    pub(crate) message_bytes_max: usize,
}

/// One command that waits for its answer.
struct Ask<I, K, A> {
    /// As it goes over the wire.
    item: I,
    /// What its answer is known by.
    key: K,
    reply: Reply<Result<A, CallError>>,
    /// Open until the answer is there.
    span: Span,
    /// Keeps the place in the client's mailbox.
    _place: Option<Permit>,
}

/// The span of one command in its order's trace, and the trace context that travels with the command.
fn command_span(
    service: &'static str,
    method: &'static str,
    order_id: OrderId,
    trace: &TraceContext,
) -> (Span, String) {
    if !trace.is_valid() {
        return (Span::none(), String::new());
    }
    let (span, own) = trace.child(|| {
        info_span!(
            "rpc",
            otel.name = format_args!("{service}/{method}"),
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = format_args!("{service}/{method}"),
            order.id = order_id.0,
        )
    });
    (span, own.traceparent().unwrap_or_default())
}

/// Sends the commands as one call and answers each of them.
async fn call<I, K, A, R, Sent>(
    method: &'static str,
    deadline: Duration,
    asks: Vec<Ask<I, K, A>>,
    send: impl FnOnce(Vec<I>) -> Sent,
    read: impl Fn(K, R) -> Result<A, CallError>,
) where
    Sent: Future<Output = Result<Vec<R>, Status>>,
{
    let mut items = Vec::with_capacity(asks.len());
    let mut waiting = Vec::with_capacity(asks.len());
    for Ask {
        item,
        key,
        reply,
        span,
        _place,
    } in asks
    {
        items.push(item);
        waiting.push((key, reply, span, _place));
    }
    match tokio::time::timeout(deadline, send(items)).await {
        Ok(Ok(results)) if results.len() == waiting.len() => {
            for ((key, reply, span, _), result) in waiting.into_iter().zip(results) {
                let answer = read(key, result);
                if answer.is_err() {
                    span.record("otel.status_code", "ERROR");
                }
                reply.send(answer);
            }
            return;
        }
        Ok(Ok(results)) => {
            error!(
                method,
                asked = waiting.len(),
                answered = results.len(),
                "another number of results than items"
            );
        }
        Ok(Err(status)) => {
            warn!(method, code = ?status.code(), text = status.message(), items = waiting.len(), "call failed");
        }
        Err(_elapsed) => {
            warn!(
                method,
                ?deadline,
                items = waiting.len(),
                "no answer in time"
            );
        }
    }
    for (_, reply, span, _) in waiting {
        span.record("otel.status_code", "ERROR");
        reply.send(Err(CallError::Unavailable));
    }
}
