//! The client of payments: request, get, void, refund.
//!
//! A crash loses nothing that a saga would miss: the calls go on beside the actor, and who was still in the mailbox learns that it is gone.

use actor_kit::{Actor, ActorError, Ctx, Permit, Reply, TraceContext};
use order_saga::saga::{RefundAnswer, RequestAnswer, VoidAnswer};
use order_saga::{CallError, OrderId, PaymentId, PaymentParameters, PaymentsRequest};
use shopapi_proto::payments::v1 as proto;
use shopapi_proto::payments::v1::payments_service_client::PaymentsServiceClient;
use shopapi_rpc::{Balanced, ClientTrust, Endpoints, idempotent};
use tracing::Span;

use super::lane::Lane;
use super::{Ask, CallLimits, call, command_span};
use crate::wire;

const SERVICE: &str = "shopapi.payments.v1.PaymentsService";

type Answer<T> = Reply<Result<T, CallError>>;

/// The actor.
pub(crate) struct PaymentsClient {
    client: PaymentsServiceClient<Balanced>,
    limits: CallLimits,
    requests: Lane<Ask<proto::PaymentParameters, PaymentId, RequestAnswer>>,
    voids: Lane<Ask<proto::PaymentParameters, PaymentId, VoidAnswer>>,
    refunds: Lane<Ask<proto::RefundItem, PaymentId, RefundAnswer>>,
    looks: Lane<Ask<String, PaymentId, Option<RequestAnswer>>>,
}

impl PaymentsClient {
    /// A client that connects at its first call.
    pub(crate) fn new(payments: Endpoints, trust: ClientTrust, limits: CallLimits) -> Self {
        let bytes_max = limits.message_bytes_max;
        Self {
            client: PaymentsServiceClient::new(Balanced::connect(payments, trust))
                .max_decoding_message_size(bytes_max)
                .max_encoding_message_size(bytes_max),
            limits,
            requests: Lane::new(limits.calls_max, limits.items_max),
            voids: Lane::new(limits.calls_max, limits.items_max),
            refunds: Lane::new(limits.calls_max, limits.items_max),
            looks: Lane::new(limits.calls_max, limits.items_max),
        }
    }

    fn on_request(
        &self,
        parameters: &PaymentParameters,
        trace: &TraceContext,
        reply: Answer<RequestAnswer>,
        place: Option<Permit>,
    ) {
        let (item, key, span) = with_parameters("RequestPayment", parameters, trace);
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.requests
            .push(ask(item, key, reply, span, place), move |asks| {
                let mut client = client.clone();
                let send = async move |items| {
                    let sent = client
                        .request_payment(idempotent(proto::RequestPaymentRequest { items }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call(
                    "RequestPayment",
                    deadline,
                    asks,
                    send,
                    wire::payments::request_answer,
                )
            });
    }

    fn on_void(
        &self,
        parameters: &PaymentParameters,
        trace: &TraceContext,
        reply: Answer<VoidAnswer>,
        place: Option<Permit>,
    ) {
        let (item, key, span) = with_parameters("VoidPayment", parameters, trace);
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.voids
            .push(ask(item, key, reply, span, place), move |asks| {
                let mut client = client.clone();
                let send = async move |items| {
                    let sent = client
                        .void_payment(idempotent(proto::VoidPaymentRequest { items }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call(
                    "VoidPayment",
                    deadline,
                    asks,
                    send,
                    wire::payments::void_answer,
                )
            });
    }

    fn on_refund(
        &self,
        (order_id, payment_id): (OrderId, PaymentId),
        trace: &TraceContext,
        reply: Answer<RefundAnswer>,
        place: Option<Permit>,
    ) {
        let (span, traceparent) = command_span(SERVICE, "RefundPayment", order_id, trace);
        let item = proto::RefundItem {
            payment_id: payment_id.to_string(),
            order_id: order_id.0,
            traceparent,
        };
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.refunds
            .push(ask(item, payment_id, reply, span, place), move |asks| {
                let mut client = client.clone();
                let send = async move |items| {
                    let sent = client
                        .refund_payment(idempotent(proto::RefundPaymentRequest { items }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call(
                    "RefundPayment",
                    deadline,
                    asks,
                    send,
                    wire::payments::refund_answer,
                )
            });
    }

    fn on_get(
        &self,
        payment_id: PaymentId,
        reply: Answer<Option<RequestAnswer>>,
        place: Option<Permit>,
    ) {
        let item = payment_id.to_string();
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.looks.push(
            ask(item, payment_id, reply, Span::none(), place),
            move |asks| {
                let mut client = client.clone();
                let send = async move |payment_ids| {
                    let sent = client
                        .get_payment(idempotent(proto::GetPaymentRequest { payment_ids }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call(
                    "GetPayment",
                    deadline,
                    asks,
                    send,
                    wire::payments::get_answer,
                )
            },
        );
    }
}

fn with_parameters(
    method: &'static str,
    parameters: &PaymentParameters,
    trace: &TraceContext,
) -> (proto::PaymentParameters, PaymentId, Span) {
    let (span, traceparent) = command_span(SERVICE, method, parameters.order.order_id, trace);
    (
        wire::payments::parameters(parameters, traceparent),
        parameters.order.ids.payment_id,
        span,
    )
}

fn ask<I, A>(
    item: I,
    key: PaymentId,
    reply: Answer<A>,
    span: Span,
    place: Option<Permit>,
) -> Ask<I, PaymentId, A> {
    Ask {
        item,
        key,
        reply,
        span,
        _place: place,
    }
}

impl Actor for PaymentsClient {
    type Msg = PaymentsRequest;

    async fn handle(
        &mut self,
        ctx: &Ctx<Self>,
        message: PaymentsRequest,
    ) -> Result<(), ActorError> {
        let place = ctx.take_permit();
        match message {
            PaymentsRequest::Request {
                parameters,
                trace,
                reply,
            } => self.on_request(&parameters, &trace, reply, place),
            PaymentsRequest::Void {
                parameters,
                trace,
                reply,
            } => self.on_void(&parameters, &trace, reply, place),
            PaymentsRequest::Refund {
                order_id,
                payment_id,
                trace,
                reply,
            } => self.on_refund((order_id, payment_id), &trace, reply, place),
            PaymentsRequest::Get { payment_id, reply } => self.on_get(payment_id, reply, place),
        }
        Ok(())
    }

    fn message_name(message: &PaymentsRequest) -> &'static str {
        match message {
            PaymentsRequest::Request { .. } => "payments-client request",
            PaymentsRequest::Void { .. } => "payments-client void",
            PaymentsRequest::Refund { .. } => "payments-client refund",
            PaymentsRequest::Get { .. } => "payments-client get",
        }
    }
}
