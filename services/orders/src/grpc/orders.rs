//! `OrdersService`. Another customer's order does not exist.

use actor_kit::{Reply, StopSignal, TraceContext};
use order_saga::saga::{Ignored, SagaEvent};
use order_saga::{Delivery, OrderId, OrderStatus, Outcome, RegistryMsg, Snapshot};
use shopapi_proto::orders::v1::conflict::Reason;
use shopapi_proto::orders::v1::orders_service_server::OrdersService;
use shopapi_proto::orders::v1::{
    self as proto, CancelOrderRequest, CancelOrderResponse, CreateOrderRequest,
    CreateOrderResponse, GetOrderRequest, GetOrderResponse, GetTimelineRequest,
    GetTimelineResponse, ListOrdersRequest, ListOrdersResponse, RefundOrderRequest,
    RefundOrderResponse, WatchOrderRequest,
};
use tonic::{Request, Response, Status};
use tracing::warn;

use super::create::{create, customer};
use super::watch::Watched;
use super::{Api, context, status};
use crate::store::OrderView;
use crate::wire;

/// The calls.
#[derive(Clone, Debug)]
pub(super) struct OrdersApi {
    pub(super) api: Api,
    /// Ends the streams.
    pub(super) stop: StopSignal,
}

/// What a customer's request came to.
enum Decided {
    Changed(Snapshot),
    Unchanged(Snapshot),
    Conflict(Ignored, Snapshot),
}

impl OrdersApi {
    pub(super) fn new(api: Api, stop: StopSignal) -> Self {
        Self { api, stop }
    }

    /// Has the saga decide a request of its customer.
    async fn decide(
        &self,
        customer_id: &str,
        order_id: i64,
        event: SagaEvent,
        trace: TraceContext,
    ) -> Result<Decided, Status> {
        let customer_id = customer(customer_id)?;
        let order_id = order(order_id)?;
        let deliver = |reply: Reply<Outcome>| {
            RegistryMsg::Deliver(vec![Delivery {
                order_id,
                customer_id: Some(customer_id),
                expected: None,
                event,
                trace,
                reply,
            }])
        };
        let deadline = self.api.limits.request_deadline;
        match self.api.registry.ask(deadline, deliver).await {
            Ok(Outcome::Moved(snapshot)) => Ok(Decided::Changed(snapshot)),
            Ok(Outcome::Ignored(why, snapshot)) => Ok(match why {
                Ignored::AlreadyHolds | Ignored::Duplicate => Decided::Unchanged(snapshot),
                _ => Decided::Conflict(why, snapshot),
            }),
            Ok(Outcome::Illegal(snapshot)) => Ok(Decided::Conflict(Ignored::Ended, snapshot)),
            Ok(Outcome::NotFound) => Err(status::no_order()),
            Ok(Outcome::Poisoned) => Err(status::internal()),
            // Customers expect no version, so `Superseded` is never theirs.
            Ok(Outcome::Unavailable | Outcome::Superseded(_)) => Err(status::unavailable()),
            Err(unanswered) => {
                warn!(%order_id, %unanswered, "a customer's request is not decided");
                Err(status::unavailable())
            }
        }
    }
}

/// An id that no order can have is an order that is not there.
pub(super) fn order(order_id: i64) -> Result<OrderId, Status> {
    if order_id > 0 {
        Ok(OrderId(order_id))
    } else {
        Err(status::no_order())
    }
}

fn shown(snapshot: &Snapshot) -> Option<proto::Order> {
    Some(wire::orders::order(OrderView::from(snapshot)))
}

fn why_not_cancelled(why: Ignored, snapshot: &Snapshot) -> Status {
    let status = snapshot.saga.status();
    let reason = match (why, status) {
        (Ignored::AlreadyPaid, _) | (_, OrderStatus::Paid) => Reason::AlreadyPaid,
        _ => Reason::NotCancellable,
    };
    status::conflict(reason, Some(status))
}

#[tonic::async_trait]
impl OrdersService for OrdersApi {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let (span, trace) = context::span(&request, "CreateOrder");
        let created = create(&self.api, request.into_inner(), trace.clone(), &self.stop);
        context::answer((span, trace), None, created)
            .await
            .map(Response::new)
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let (span, trace) = context::span(&request, "GetOrder");
        let GetOrderRequest {
            customer_id,
            order_id,
        } = request.into_inner();
        span.record("order.id", order_id);
        let found = self.one(customer(&customer_id)?, order(order_id)?);
        let view = context::answer((span, trace), Some(order_id), found).await?;
        Ok(Response::new(GetOrderResponse {
            order: Some(wire::orders::order(view)),
        }))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let (span, trace) = context::span(&request, "ListOrders");
        let listed = self.list(request.into_inner());
        context::answer((span, trace), None, listed)
            .await
            .map(Response::new)
    }

    async fn get_timeline(
        &self,
        request: Request<GetTimelineRequest>,
    ) -> Result<Response<GetTimelineResponse>, Status> {
        let (span, trace) = context::span(&request, "GetTimeline");
        let request = request.into_inner();
        span.record("order.id", request.order_id);
        let order_id = Some(request.order_id);
        let told = self.timeline(request);
        context::answer((span, trace), order_id, told)
            .await
            .map(Response::new)
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        let (span, trace) = context::span(&request, "CancelOrder");
        let CancelOrderRequest {
            customer_id,
            order_id,
        } = request.into_inner();
        span.record("order.id", order_id);
        let decided = self.decide(
            &customer_id,
            order_id,
            SagaEvent::CancelRequested,
            trace.clone(),
        );
        let decided = context::answer((span, trace), Some(order_id), decided).await?;
        let (order, unchanged) = match decided {
            Decided::Changed(snapshot) => (shown(&snapshot), false),
            Decided::Unchanged(snapshot) => (shown(&snapshot), true),
            Decided::Conflict(why, snapshot) => return Err(why_not_cancelled(why, &snapshot)),
        };
        Ok(Response::new(CancelOrderResponse { order, unchanged }))
    }

    async fn refund_order(
        &self,
        request: Request<RefundOrderRequest>,
    ) -> Result<Response<RefundOrderResponse>, Status> {
        let (span, trace) = context::span(&request, "RefundOrder");
        let RefundOrderRequest {
            customer_id,
            order_id,
        } = request.into_inner();
        span.record("order.id", order_id);
        let decided = self.decide(
            &customer_id,
            order_id,
            SagaEvent::RefundRequested,
            trace.clone(),
        );
        let decided = context::answer((span, trace), Some(order_id), decided).await?;
        let (order, unchanged) = match decided {
            Decided::Changed(snapshot) => (shown(&snapshot), false),
            Decided::Unchanged(snapshot) => (shown(&snapshot), true),
            Decided::Conflict(_, snapshot) => {
                let status = Some(snapshot.saga.status());
                return Err(status::conflict(Reason::NotRefundable, status));
            }
        };
        Ok(Response::new(RefundOrderResponse { order, unchanged }))
    }

    type WatchOrderStream = Watched;

    async fn watch_order(
        &self,
        request: Request<WatchOrderRequest>,
    ) -> Result<Response<Watched>, Status> {
        let (span, trace) = context::span(&request, "WatchOrder");
        let request = request.into_inner();
        span.record("order.id", request.order_id);
        let order_id = Some(request.order_id);
        let watched = self.watch(request);
        context::answer((span, trace), order_id, watched)
            .await
            .map(Response::new)
    }
}
