//! CreateOrder: admission, checks, and the registry's answer.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::{AskError, Reply, StopSignal, TraceContext};
use order_saga::saga::SagaStep;
use order_saga::{
    Create, Created, CustomerId, IdempotencyKey, Line, Order, OrderId, PaymentMethod, RegistryMsg,
    Sku,
};
use shopapi_proto::common::v1 as common;
use shopapi_proto::orders::v1::conflict::Reason;
use shopapi_proto::orders::v1::{CreateOrderRequest, CreateOrderResponse};
use tonic::Status;
use tracing::{Span, error, warn};

use super::Api;
use super::status::{self, InvalidLines};
use crate::store::OrderView;
use crate::telemetry;
use crate::wire;

/// Longest token of a payment provider that is taken: as long as payments takes it, or it could be neither charged nor voided.
const PAYMENT_METHOD_BYTES_MAX: usize = 128;
/// Longest idempotency key.
const KEY_BYTES_MAX: usize = 255;
/// SHA-256.
const FINGERPRINT_BYTES: usize = 32;
/// What the registry gets on top of the waits it bounds itself: its answer, which knows more, comes first.
const ANSWER_MARGIN: Duration = Duration::from_secs(2);

/// How long a caller still waits once the service stops: the stock answers in less, and the connections are closed a second later.
const LEAVING: Duration = Duration::from_secs(2);

/// Creates an order and counts what came of it. Once the service stops, the answer is the order as it stands.
pub(super) async fn create(
    api: &Api,
    request: CreateOrderRequest,
    trace: TraceContext,
    stop: &StopSignal,
) -> Result<CreateOrderResponse, Status> {
    let created = create_order(api, request, trace, stop).await;
    if created.is_err() {
        // Accepted and rejected orders are counted where they are committed.
        telemetry::not_created();
    }
    match created? {
        Answer::Accepted(response) => Ok(*response),
        Answer::Rejected(status) => Err(status),
    }
}

enum Answer {
    Accepted(Box<CreateOrderResponse>),
    /// The order exists and the stock refused it.
    Rejected(Status),
}

async fn create_order(
    api: &Api,
    request: CreateOrderRequest,
    trace: TraceContext,
    stop: &StopSignal,
) -> Result<Answer, Status> {
    let Some(_admitted) = api.admission.admit() else {
        return Err(status::turned_away(api.limits.retry_after));
    };
    let Checked {
        customer_id,
        lines,
        payment_method,
        key,
        wait,
    } = check(request, api.limits.wait_max)?;
    let installation = api.store.installation().await.map_err(status::unread)?;
    // Checked before an id is spent on it.
    order_saga::model::check_lines(&lines).map_err(InvalidLines)?;
    let order_id = api.ids.next().await.map_err(status::unread)?;
    let order = Order::new(
        installation,
        order_id,
        customer_id,
        lines,
        payment_method,
        trace,
    )
    .map_err(InvalidLines)?;
    let deadline = wait.max(api.stock_deadline) + ANSWER_MARGIN;
    let ask = |reply: Reply<Created>| {
        RegistryMsg::Create(Box::new(Create {
            order: Arc::new(order),
            key,
            wait,
            reply,
        }))
    };
    let left = async {
        stop.cancelled().await;
        tokio::time::sleep(LEAVING).await;
    };
    let asked = tokio::select! {
        asked = api.registry.ask(deadline, ask) => asked,
        () = left => {
            Span::current().record("order.id", order_id.0);
            return as_it_stands(api, order_id, customer_id).await;
        }
    };
    note_order(&asked, order_id);
    match asked {
        Ok(created) => answer(created, order_id),
        Err(AskError::Full) => Err(status::turned_away(api.limits.retry_after)),
        Err(unanswered @ (AskError::Gone | AskError::Timeout)) => {
            warn!(%order_id, %unanswered, "no answer to a new order");
            Err(status::unavailable())
        }
    }
}

/// Writes the order on the call's span, once: a repeat is about the order of its first call, whose trace it links to, and the id that was
/// drawn for it is stored nowhere.
fn note_order(asked: &Result<Created, AskError>, drawn: OrderId) {
    let span = Span::current();
    match asked {
        Ok(Created::Order { snapshot, replayed }) => {
            let order = &snapshot.saga.order;
            span.record("order.id", order.order_id.0);
            if *replayed {
                order.trace.link_to(&span);
            }
        }
        Ok(Created::KeyReused { order_id }) => {
            span.record("order.id", order_id.0);
        }
        // It may have been stored.
        Ok(Created::Unavailable) | Err(AskError::Gone | AskError::Timeout) => {
            span.record("order.id", drawn.0);
        }
        Ok(Created::Poisoned) | Err(AskError::Full) => {}
    }
}

/// The order that a caller waits for on a replica that goes: another one brings it to its end.
async fn as_it_stands(
    api: &Api,
    order_id: OrderId,
    customer_id: CustomerId,
) -> Result<Answer, Status> {
    let stands = api.store.order(order_id, customer_id).await;
    let view = stands
        .map_err(status::unread)?
        .ok_or_else(status::unavailable)?;
    Ok(Answer::Accepted(Box::new(CreateOrderResponse {
        order: Some(wire::orders::order(view)),
        replayed: false,
    })))
}

fn answer(created: Created, order_id: OrderId) -> Result<Answer, Status> {
    match created {
        Created::Order { snapshot, replayed } => {
            if let SagaStep::Rejected { refusal } = &snapshot.saga.step {
                let rejected = status::refused(snapshot.saga.order.order_id, refusal);
                return Ok(Answer::Rejected(rejected));
            }
            Ok(Answer::Accepted(Box::new(CreateOrderResponse {
                order: Some(wire::orders::order(OrderView::from(&snapshot))),
                replayed,
            })))
        }
        Created::KeyReused { .. } => Err(status::conflict(Reason::IdempotencyKeyReused, None)),
        Created::Poisoned => {
            error!(%order_id, "the database refuses a new order");
            Err(status::internal())
        }
        Created::Unavailable => Err(status::unavailable()),
    }
}

/// A request whose parts are what they should be, each on its own.
struct Checked {
    customer_id: CustomerId,
    lines: Arc<[Line]>,
    payment_method: PaymentMethod,
    key: Option<IdempotencyKey>,
    wait: Duration,
}

fn check(request: CreateOrderRequest, wait_max: Duration) -> Result<Checked, Status> {
    let CreateOrderRequest {
        customer_id,
        items,
        payment_method,
        idempotency_key,
        request_fingerprint,
        wait_ms,
    } = request;
    if !printable(&payment_method, PAYMENT_METHOD_BYTES_MAX) || payment_method.contains(' ') {
        return Err(status::invalid(format!(
            "payment_method: 1 to {PAYMENT_METHOD_BYTES_MAX} printable ASCII characters without spaces"
        )));
    }
    let wait = u64::try_from(wait_ms)
        .map(Duration::from_millis)
        .map_err(|_| status::invalid("wait_ms: not negative"))?;
    Ok(Checked {
        customer_id: customer(&customer_id)?,
        lines: items.iter().map(line).collect(),
        payment_method: PaymentMethod::new(&payment_method),
        key: key(idempotency_key, request_fingerprint)?,
        wait: wait.min(wait_max),
    })
}

/// The customer's id.
pub(super) fn customer(text: &str) -> Result<CustomerId, Status> {
    text.parse()
        .map(CustomerId)
        .map_err(|_| status::invalid("customer_id: a UUID"))
}

fn line(line: &common::Line) -> Line {
    Line {
        sku: Sku::new(&line.sku),
        quantity: line.quantity,
    }
}

fn key(key: String, fingerprint: Vec<u8>) -> Result<Option<IdempotencyKey>, Status> {
    if key.is_empty() {
        return Ok(None);
    }
    if !printable(&key, KEY_BYTES_MAX) {
        return Err(status::invalid(format!(
            "idempotency_key: 1 to {KEY_BYTES_MAX} printable ASCII characters"
        )));
    }
    if fingerprint.len() != FINGERPRINT_BYTES {
        return Err(status::invalid("request_fingerprint: 32 bytes with a key"));
    }
    Ok(Some(IdempotencyKey { key, fingerprint }))
}

fn printable(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> CreateOrderRequest {
        CreateOrderRequest {
            customer_id: "0198c0de-0000-7000-8000-000000000001".to_owned(),
            items: vec![],
            payment_method: "tok_ok".to_owned(),
            idempotency_key: "k".to_owned(),
            request_fingerprint: vec![0; 32],
            wait_ms: 0,
        }
    }

    const WAIT_MAX: Duration = Duration::from_secs(30);

    #[test]
    fn a_good_request_passes_and_a_long_wait_is_cut() {
        let checked = check(
            CreateOrderRequest {
                wait_ms: i32::MAX,
                ..request()
            },
            WAIT_MAX,
        )
        .unwrap();
        assert_eq!(checked.wait, WAIT_MAX);
        assert_eq!(checked.key.unwrap().key, "k");
    }

    #[test]
    fn each_bad_part_is_named() {
        let cases = [
            (
                "customer_id",
                CreateOrderRequest {
                    customer_id: "me".to_owned(),
                    ..request()
                },
            ),
            (
                "payment_method",
                CreateOrderRequest {
                    payment_method: "tok\nok".to_owned(),
                    ..request()
                },
            ),
            (
                "payment_method",
                CreateOrderRequest {
                    payment_method: "tok ok".to_owned(),
                    ..request()
                },
            ),
            (
                "payment_method",
                CreateOrderRequest {
                    payment_method: "t".repeat(129),
                    ..request()
                },
            ),
            (
                "idempotency_key",
                CreateOrderRequest {
                    idempotency_key: "k".repeat(256),
                    ..request()
                },
            ),
            (
                "request_fingerprint",
                CreateOrderRequest {
                    request_fingerprint: vec![],
                    ..request()
                },
            ),
            (
                "wait_ms",
                CreateOrderRequest {
                    wait_ms: -1,
                    ..request()
                },
            ),
        ];
        for (part, request) in cases {
            let Err(refused) = check(request, WAIT_MAX) else {
                panic!("{part} passed");
            };
            assert_eq!(refused.code(), tonic::Code::InvalidArgument);
            assert!(refused.message().starts_with(part), "{}", refused.message());
        }
    }
}
