//! The reads of `OrdersService`, and the head of a live timeline.

use std::sync::Arc;

use order_saga::{CustomerId, OrderId, Version};
use shopapi_proto::orders::v1 as proto;
use shopapi_proto::orders::v1::{
    GetTimelineRequest, GetTimelineResponse, ListOrdersRequest, ListOrdersResponse,
    WatchOrderRequest,
};
use tonic::Status;

use super::create::customer;
use super::orders::{OrdersApi, order};
use super::status;
use super::watch::{Watch, Watched, is_final};
use crate::store::OrderView;
use crate::wire;

/// Orders on a page when the caller does not say.
const PAGE_DEFAULT: i64 = 20;
/// Orders on a page at most.
const PAGE_MAX: i64 = 100;

impl OrdersApi {
    pub(super) async fn one(
        &self,
        customer_id: CustomerId,
        order_id: OrderId,
    ) -> Result<OrderView, Status> {
        self.api
            .store
            .order(order_id, customer_id)
            .await
            .map_err(status::unread)?
            .ok_or_else(status::no_order)
    }

    pub(super) async fn list(
        &self,
        request: ListOrdersRequest,
    ) -> Result<ListOrdersResponse, Status> {
        let customer_id = customer(&request.customer_id)?;
        let status = proto::OrderStatus::try_from(request.status)
            .map_err(|_| status::invalid("status: one of the known ones"))?;
        let limit = match i64::from(request.limit) {
            0 => PAGE_DEFAULT,
            limit @ 1..=PAGE_MAX => limit,
            _ => {
                return Err(status::invalid(format!(
                    "limit: 1 to {PAGE_MAX}, or 0 for {PAGE_DEFAULT}"
                )));
            }
        };
        let before = match request.before_order_id {
            0 => OrderId(i64::MAX),
            before @ 1.. => OrderId(before),
            _ => return Err(status::invalid("before_order_id: not negative")),
        };
        let page = self
            .api
            .store
            .orders(
                customer_id,
                wire::orders::status_of(status),
                before,
                usize::try_from(limit).unwrap_or(usize::MAX),
            )
            .await
            .map_err(status::unread)?;
        Ok(ListOrdersResponse {
            orders: page.orders.into_iter().map(wire::orders::order).collect(),
            next_before_order_id: page.next_before.map_or(0, |before| before.0),
        })
    }

    pub(super) async fn timeline(
        &self,
        request: GetTimelineRequest,
    ) -> Result<GetTimelineResponse, Status> {
        let customer_id = customer(&request.customer_id)?;
        let order_id = order(request.order_id)?;
        let entries = self
            .api
            .store
            .timeline(order_id, customer_id, Version(0))
            .await
            .map_err(status::unread)?;
        // Every order has a first entry.
        if entries.is_empty() {
            return Err(status::no_order());
        }
        Ok(GetTimelineResponse {
            entries: entries
                .into_iter()
                .map(wire::orders::timeline_entry)
                .collect(),
        })
    }

    pub(super) async fn watch(&self, request: WatchOrderRequest) -> Result<Watched, Status> {
        let customer_id = customer(&request.customer_id)?;
        let order_id = order(request.order_id)?;
        let seen = Version(request.after_version.max(0));
        let Ok(place) = Arc::clone(&self.api.watches).try_acquire_owned() else {
            return Err(status::turned_away(self.api.limits.retry_after));
        };
        let now = self.one(customer_id, order_id).await?;
        let entries = self
            .api
            .store
            .timeline(order_id, customer_id, seen)
            .await
            .map_err(status::unread)?;
        let ended = is_final(now.saga_state.as_str());
        Ok(Watch {
            registry: self.api.registry.clone(),
            store: self.api.store.clone(),
            order_id,
            customer_id,
            seen,
            entries: entries.into(),
            stop: self.stop.clone(),
            _place: place,
        }
        .stream(ended))
    }
}
