//! The gRPC adapter: network call → message → answer → response. It decides nothing but who may come in.
//!
//! ```text
//!   server   which services, with which limits
//!   orders   OrdersService: the calls
//!   admin    OrdersAdmin: what operators do
//!   create   CreateOrder: admission, checks, the registry's answer
//!   reads    GetOrder, ListOrders, GetTimeline
//!   watch    WatchOrder: the timeline as it grows
//!   context  trace context in, spans
//!   status   the one file that knows gRPC's codes
//! ```

mod admin;
mod context;
mod create;
mod orders;
mod reads;
mod server;
pub(crate) mod status;
mod watch;

use std::sync::Arc;

use actor_kit::Mailbox;
use order_saga::RegistryMsg;
use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::config::Limits;
use crate::operators::OperatorDesk;
use crate::order_ids::OrderIds;
use crate::store::OrderStore;

pub(crate) use server::serve;

/// What the calls stand on. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) registry: Mailbox<RegistryMsg>,
    pub(crate) store: OrderStore,
    pub(crate) ids: OrderIds,
    pub(crate) admission: Admission,
    pub(crate) operators: OperatorDesk,
    /// Live timelines.
    pub(crate) watches: Arc<Semaphore>,
    pub(crate) limits: Arc<Limits>,
    /// How long the stock may take to answer a new order.
    pub(crate) stock_deadline: std::time::Duration,
}
