//! Owns the gRPC channel to orders. Each message is one call; its place in the mailbox is freed with the answer.
//!
//! A crash loses the calls in flight, whose askers learn it at once; the channel is built anew.

use std::time::Duration;

use actor_kit::{Actor, ActorError, Ctx, Reply};
use shopapi_proto::orders::v1::orders_service_client::OrdersServiceClient;
use shopapi_proto::orders::v1::{
    CancelOrderRequest, CancelOrderResponse, CreateOrderRequest, CreateOrderResponse,
    GetOrderRequest, GetOrderResponse, GetTimelineRequest, GetTimelineResponse, ListOrdersRequest,
    ListOrdersResponse, RefundOrderRequest, RefundOrderResponse, WatchOrderRequest,
    WatchOrderResponse,
};
use shopapi_rpc::{Balanced, ClientTrust, Endpoints};
use tonic::Streaming;

use crate::config::Limits;
use crate::rpc::{self, Answer, Method, Repeat};

/// Largest answer that is read: a page of 100 orders with 100 lines each takes about 500 KiB.
const RESPONSE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Largest request that is sent: above any that the HTTP side lets through.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// One call to orders. Sent by the HTTP handlers; the reply is the callee's answer.
pub(crate) enum OrdersCall {
    /// A new order; waits for `request.wait_ms` on top of the usual time.
    Create {
        request: CreateOrderRequest,
        reply: Reply<Answer<CreateOrderResponse>>,
    },
    /// One order.
    Get {
        request: GetOrderRequest,
        reply: Reply<Answer<GetOrderResponse>>,
    },
    /// A page of orders.
    List {
        request: ListOrdersRequest,
        reply: Reply<Answer<ListOrdersResponse>>,
    },
    /// Every transition of one order.
    Timeline {
        request: GetTimelineRequest,
        reply: Reply<Answer<GetTimelineResponse>>,
    },
    /// The customer wants it cancelled.
    Cancel {
        request: CancelOrderRequest,
        reply: Reply<Answer<CancelOrderResponse>>,
    },
    /// The customer wants the money back.
    Refund {
        request: RefundOrderRequest,
        reply: Reply<Answer<RefundOrderResponse>>,
    },
    /// The transitions as they happen. The call ends with the stream's head; whoever gets the stream bounds its life.
    Watch {
        request: WatchOrderRequest,
        reply: Reply<Answer<Streaming<WatchOrderResponse>>>,
    },
}

/// The actor.
pub(crate) struct OrdersClient {
    client: OrdersServiceClient<Balanced>,
    create_deadline: Duration,
    call_deadline: Duration,
}

impl OrdersClient {
    /// A client that connects at its first call.
    pub(crate) fn new(orders: Endpoints, trust: ClientTrust, limits: Limits) -> Self {
        Self {
            client: OrdersServiceClient::new(Balanced::connect(orders, trust))
                .max_decoding_message_size(RESPONSE_BYTES_MAX)
                .max_encoding_message_size(REQUEST_BYTES_MAX),
            create_deadline: limits.create_deadline,
            call_deadline: limits.call_deadline,
        }
    }
}

/// One arm of the table below: forwards a message to the generated method of the same name.
macro_rules! forward {
    ($self:ident, $ctx:ident, $request:ident, $reply:ident, $deadline:expr, $name:literal, $method:ident) => {
        forward!(
            $self,
            $ctx,
            $request,
            $reply,
            $deadline,
            $name,
            $method,
            Repeat::Harmless,
            Some($request.order_id),
            |_| None
        )
    };
    ($self:ident, $ctx:ident, $request:ident, $reply:ident, $deadline:expr, $name:literal, $method:ident, $repeat:expr, $order_id:expr, $order_of:expr) => {{
        let mut client = $self.client.clone();
        let method = Method {
            service: "shopapi.orders.v1.OrdersService",
            name: $name,
            repeat: $repeat,
            order_id: $order_id,
        };
        rpc::forward(
            $ctx,
            method,
            $deadline,
            $request,
            $reply,
            $order_of,
            |request| async move { client.$method(request).await },
        );
    }};
}

impl Actor for OrdersClient {
    type Msg = OrdersCall;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: OrdersCall) -> Result<(), ActorError> {
        let usual = self.call_deadline;
        match message {
            OrdersCall::Create { request, reply } => {
                let wait_ms = u64::try_from(request.wait_ms).unwrap_or(0);
                let deadline = self.create_deadline + Duration::from_millis(wait_ms);
                // With a key the second replica finds the first one's order.
                let repeat = if request.idempotency_key.is_empty() {
                    Repeat::Never
                } else {
                    Repeat::Harmless
                };
                forward!(
                    self,
                    ctx,
                    request,
                    reply,
                    deadline,
                    "CreateOrder",
                    create_order,
                    repeat,
                    None,
                    |created| created.order.as_ref().map(|order| order.order_id)
                );
            }
            OrdersCall::Get { request, reply } => {
                forward!(self, ctx, request, reply, usual, "GetOrder", get_order);
            }
            OrdersCall::List { request, reply } => {
                forward!(
                    self,
                    ctx,
                    request,
                    reply,
                    usual,
                    "ListOrders",
                    list_orders,
                    Repeat::Harmless,
                    None,
                    |_| None
                );
            }
            OrdersCall::Timeline { request, reply } => {
                forward!(
                    self,
                    ctx,
                    request,
                    reply,
                    usual,
                    "GetTimeline",
                    get_timeline
                );
            }
            OrdersCall::Cancel { request, reply } => {
                forward!(
                    self,
                    ctx,
                    request,
                    reply,
                    usual,
                    "CancelOrder",
                    cancel_order
                );
            }
            OrdersCall::Refund { request, reply } => {
                forward!(
                    self,
                    ctx,
                    request,
                    reply,
                    usual,
                    "RefundOrder",
                    refund_order
                );
            }
            OrdersCall::Watch { request, reply } => {
                forward!(self, ctx, request, reply, usual, "WatchOrder", watch_order);
            }
        }
        Ok(())
    }

    fn message_name(message: &OrdersCall) -> &'static str {
        match message {
            OrdersCall::Create { .. } => "orders-client create",
            OrdersCall::Get { .. } => "orders-client get",
            OrdersCall::List { .. } => "orders-client list",
            OrdersCall::Timeline { .. } => "orders-client timeline",
            OrdersCall::Cancel { .. } => "orders-client cancel",
            OrdersCall::Refund { .. } => "orders-client refund",
            OrdersCall::Watch { .. } => "orders-client watch",
        }
    }
}
