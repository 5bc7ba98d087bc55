//! What the saga needs from its service: the clients of inventory and payments (actors that own a gRPC channel and batch what waits),
//! reads of stored sagas, and a voice for "this order has moved".

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actor_kit::{Reply, TraceContext};
use time::OffsetDateTime;

use crate::ids::{OrderId, PaymentId, ReleaseId, ReservationId, Version};
use crate::model::{Line, Order, Quote};
use crate::saga::{
    CommitAnswer, RefundAnswer, ReleaseAnswer, RequestAnswer, ReserveAnswer, Saga, VoidAnswer,
};

/// Why a callee has no answer. The client has logged the details; the saga's deadline asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not reachable, overloaded, no answer within the call's deadline or none that is understood, or whoever asks is not let in. It says
    /// nothing about this command, which may have been executed.
    #[error("the service did not answer")]
    Unavailable,
    /// It refused this very command, by what the command says: a repetition is not expected to help, people are.
    #[error("the service refused the command")]
    Refused,
}

/// Commands for inventory, one per order. The client sends what waits as one `repeated` call. At least once; idempotent by their ids.
#[derive(Debug)]
pub enum InventoryRequest {
    /// Hold the stock of an order and freeze its prices.
    Reserve {
        /// Whose.
        order_id: OrderId,
        /// Under which id.
        reservation_id: ReservationId,
        /// How many of what.
        lines: Arc<[Line]>,
        /// The order's trace.
        trace: TraceContext,
        /// The reservation's state.
        reply: Reply<Result<ReserveAnswer, CallError>>,
    },
    /// Give it back; leaves a tombstone when there is nothing yet.
    Release {
        /// Whose.
        order_id: OrderId,
        /// What.
        reservation_id: ReservationId,
        /// Under which id the release is recorded.
        release_id: ReleaseId,
        /// The order's trace.
        trace: TraceContext,
        /// The reservation's state after it.
        reply: Reply<Result<ReleaseAnswer, CallError>>,
    },
    /// It is sold.
    Commit {
        /// Whose.
        order_id: OrderId,
        /// What.
        reservation_id: ReservationId,
        /// The order's trace.
        trace: TraceContext,
        /// The reservation's state after it.
        reply: Reply<Result<CommitAnswer, CallError>>,
    },
}

/// What to charge, frozen with the first request. The order brings id and method, the quote amount and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentParameters {
    /// Id, payment id and payment method.
    pub order: Arc<Order>,
    /// Amount and currency.
    pub quote: Arc<Quote>,
}

/// Commands for payments, one per order. At least once; idempotent by `payment_id`.
#[derive(Debug)]
pub enum PaymentsRequest {
    /// Charge: the same handler that `orders.created` feeds.
    Request {
        /// What.
        parameters: PaymentParameters,
        /// The order's trace.
        trace: TraceContext,
        /// The payment's state.
        reply: Reply<Result<RequestAnswer, CallError>>,
    },
    /// Do not charge; carries the parameters, because the void may arrive first.
    Void {
        /// What.
        parameters: PaymentParameters,
        /// The order's trace.
        trace: TraceContext,
        /// The payment's state after it.
        reply: Reply<Result<VoidAnswer, CallError>>,
    },
    /// Give the money back.
    Refund {
        /// Whose.
        order_id: OrderId,
        /// What.
        payment_id: PaymentId,
        /// The order's trace.
        trace: TraceContext,
        /// The refund's state after it.
        reply: Reply<Result<RefundAnswer, CallError>>,
    },
    /// Only look: for people who inspect a saga. The saga's own questions are commands, whose answers carry the state too.
    Get {
        /// What.
        payment_id: PaymentId,
        /// The payment's state; `None` when payments does not know it.
        reply: Reply<Result<Option<RequestAnswer>, CallError>>,
    },
}

/// A saga with the times of its order's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The saga.
    pub saga: Saga,
    /// When the order was accepted.
    pub created_at: OffsetDateTime,
    /// When it last moved.
    pub updated_at: OffsetDateTime,
}

/// What is stored of an order that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its saga.
    Saga(Snapshot),
    /// Its row is there and this replica cannot read it: it is damaged, or a newer release wrote it. The store has logged why.
    Unreadable(OrderId),
}

/// The database cannot be read at the moment. The store has logged why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the order store is not available")]
pub struct StoreUnavailable;

/// What a port's call returns.
pub type PortFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreUnavailable>> + Send>>;

/// Reads of stored sagas. Calls run beside the actors, on the service's read pool.
pub trait SagaStore: Send + Sync + 'static {
    /// What is stored of the orders with these ids, in any order, in one round trip. Only unknown ids are left out: an order that cannot be
    /// read exists.
    fn load(&self, ids: Vec<OrderId>) -> PortFuture<Vec<Found>>;

    /// Up to `limit` sagas whose `wake_at` has passed, oldest first. Moves their `wake_at` by `lease` in the same statement and skips
    /// rows that another replica is claiming. A saga that cannot be read is left out and comes due again.
    fn claim_due(&self, limit: usize, lease: std::time::Duration) -> PortFuture<Vec<Snapshot>>;

    /// The present versions of these orders, in any order.
    fn versions(&self, ids: Vec<OrderId>) -> PortFuture<Vec<(OrderId, Version)>>;
}

/// "This order has moved": a hint for other replicas, at most once. The service publishes it on `hint.orders`, or drops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderMoved {
    /// Which order.
    pub order_id: OrderId,
    /// To which version.
    pub version: Version,
}
