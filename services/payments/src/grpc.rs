//! The gRPC adapter: a call becomes commands at the desk, their results become the answer. Only this room knows
//! `tonic::Status`.
//!
//! Requests are repeated: each item is handled by itself and answered in its place, so one bad item costs its neighbours nothing, and the
//! items of one call meet in one batch of the ledger.

mod admin;
mod convert;

use std::future::Future;
use std::sync::Arc;

use actor_kit::tree::TreeWindow;
use actor_kit::{ActorError, StopSignal, TraceContext};
use futures::future::join_all;
use payment::ledger::PaymentBooks;
use payment::{Answered, DeskError, PaymentDesk, PaymentId, Refusal};
use shopapi_proto::admin::v1::payments_admin_server::PaymentsAdminServer;
use shopapi_proto::payments::v1 as wire;
use shopapi_proto::payments::v1::payments_service_server::{
    PaymentsService, PaymentsServiceServer,
};
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use shopapi_rpc::{Trust, actor_rows, code_name, tree_service};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::config::Limits;
use crate::operators::OperatorDesk;
use crate::telemetry;
use convert::{code_of, failed, is_failure, parameters, parse_id, result};

/// Largest answer to an operator: a thousand dead letters with what is wrong with each.
const ADMIN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Serves on `listener` until told to stop, then lets calls in flight end.
pub(crate) async fn serve<B: PaymentBooks>(
    listener: Arc<TcpListener>,
    desk: PaymentDesk<B>,
    operators: OperatorDesk,
    trust: Trust,
    window: TreeWindow,
    limits: Limits,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let service = PaymentsServiceServer::new(Adapter { desk, limits })
        .max_decoding_message_size(limits.message_bytes_max)
        .max_encoding_message_size(limits.message_bytes_max);
    let admin = PaymentsAdminServer::new(admin::AdminApi(operators))
        .max_decoding_message_size(limits.message_bytes_max)
        .max_encoding_message_size(ADMIN_BYTES_MAX);
    let tree = tree_service("payments", move || actor_rows!(window));
    let exposed = Exposed::new().with(service).with(admin).with(tree);
    let limits = ServerLimits {
        streams_max: limits.streams_max,
        call_deadline: limits.call_deadline,
        ..ServerLimits::default()
    };
    Ok(server::serve(listener, exposed, trust, limits, stop.cancelled_owned()).await?)
}

struct Adapter<B> {
    desk: PaymentDesk<B>,
    limits: Limits,
}

#[tonic::async_trait]
impl<B: PaymentBooks> PaymentsService for Adapter<B> {
    async fn request_payment(
        &self,
        request: Request<wire::RequestPaymentRequest>,
    ) -> Result<Response<wire::RequestPaymentResponse>, Status> {
        let items = self.bounded(request.into_inner().items)?;
        let results = join_all(items.into_iter().map(|item| {
            let order_id = item.order_id;
            let span = item_span("RequestPayment", order_id, &item.traceparent);
            answer(span, order_id, self.request(item))
        }))
        .await;
        Ok(Response::new(wire::RequestPaymentResponse { results }))
    }

    async fn get_payment(
        &self,
        request: Request<wire::GetPaymentRequest>,
    ) -> Result<Response<wire::GetPaymentResponse>, Status> {
        let ids = self.bounded(request.into_inner().payment_ids)?;
        let results = self.get(ids).await;
        Ok(Response::new(wire::GetPaymentResponse { results }))
    }

    async fn void_payment(
        &self,
        request: Request<wire::VoidPaymentRequest>,
    ) -> Result<Response<wire::VoidPaymentResponse>, Status> {
        let items = self.bounded(request.into_inner().items)?;
        let results = join_all(items.into_iter().map(|item| {
            let order_id = item.order_id;
            let span = item_span("VoidPayment", order_id, &item.traceparent);
            answer(span, order_id, self.void(item))
        }))
        .await;
        Ok(Response::new(wire::VoidPaymentResponse { results }))
    }

    async fn refund_payment(
        &self,
        request: Request<wire::RefundPaymentRequest>,
    ) -> Result<Response<wire::RefundPaymentResponse>, Status> {
        let items = self.bounded(request.into_inner().items)?;
        let results = join_all(items.into_iter().map(|item| {
            let order_id = item.order_id;
            let span = item_span("RefundPayment", order_id, &item.traceparent);
            answer(span, order_id, self.refund(item))
        }))
        .await;
        Ok(Response::new(wire::RefundPaymentResponse { results }))
    }
}

impl<B: PaymentBooks> Adapter<B> {
    fn bounded<T>(&self, items: Vec<T>) -> Result<Vec<T>, Status> {
        if items.len() > self.limits.items_max {
            let most = self.limits.items_max;
            return Err(Status::invalid_argument(format!(
                "at most {most} items in one request"
            )));
        }
        Ok(items)
    }

    async fn request(&self, item: wire::PaymentParameters) -> wire::PaymentResult {
        let id = item.payment_id.clone();
        let answered = match parameters(item) {
            Ok(request) => self.desk.request(request).await,
            Err(bad) => return failed(id, bad),
        };
        match &answered {
            Ok(Answered {
                ignored: Some(ignored),
                payment,
            }) => telemetry::note_repeat(*ignored, payment),
            Err(DeskError::Refused(Refusal::OrderTaken)) => telemetry::note_concurrent(),
            Ok(_) | Err(_) => {}
        }
        result(id, answered.map(|answered| answered.payment))
    }

    async fn void(&self, item: wire::PaymentParameters) -> wire::PaymentResult {
        let id = item.payment_id.clone();
        match parameters(item) {
            Ok(request) => {
                let answered = self.desk.void(request).await;
                result(id, answered.map(|answered| answered.payment))
            }
            Err(bad) => failed(id, bad),
        }
    }

    async fn refund(&self, item: wire::RefundItem) -> wire::PaymentResult {
        match parse_id(&item.payment_id) {
            Ok(id) => {
                let answered = self.desk.refund(id).await;
                result(item.payment_id, answered.map(|answered| answered.payment))
            }
            Err(bad) => failed(item.payment_id, bad),
        }
    }

    async fn get(&self, ids: Vec<String>) -> Vec<wire::PaymentResult> {
        let parsed: Vec<PaymentId> = ids.iter().filter_map(|id| parse_id(id).ok()).collect();
        let found = self.desk.get(&parsed).await;
        ids.into_iter()
            .map(|id| match (parse_id(&id), &found) {
                (Err(bad), _) => failed(id, bad),
                (Ok(_), Err(error)) => result(id, Err(*error)),
                (Ok(wanted), Ok(payments)) => {
                    let payment = payments.iter().find(|payment| payment.id() == wanted);
                    let answer = payment.cloned().ok_or(Refusal::NoSuchPayment.into());
                    result(id, answer)
                }
            })
            .collect()
    }
}

/// Handles one item in its span, or in its trace where that has none, and notes when it failed.
async fn answer(
    (span, trace): (Span, TraceContext),
    order_id: i64,
    handled: impl Future<Output = wire::PaymentResult>,
) -> wire::PaymentResult {
    let result = trace.scope(span.clone(), Some(order_id), handled).await;
    let code = code_of(&result);
    span.record("rpc.response.status_code", code_name(code));
    if is_failure(code) {
        span.record("otel.status_code", "ERROR");
    }
    result
}

/// Each item is a call of its own in its order's trace; the message that carried it belongs to many orders.
fn item_span(method: &'static str, order_id: i64, traceparent: &str) -> (Span, TraceContext) {
    let caller = TraceContext::from_traceparent(traceparent).unwrap_or_default();
    caller.child(|| {
        info_span!(
            parent: None,
            "rpc",
            otel.name = format_args!("shopapi.payments.v1.PaymentsService/{method}"),
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = format_args!("shopapi.payments.v1.PaymentsService/{method}"),
            rpc.response.status_code = Empty,
            order.id = order_id,
        )
    })
}
