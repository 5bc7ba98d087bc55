//! Streams and subjects: promised names.

/// Stream of the order events.
pub const STREAM_ORDERS: &str = "ORDERS";
/// Stream of the payment events.
pub const STREAM_PAYMENTS: &str = "PAYMENTS";

/// Every subject of [`STREAM_ORDERS`].
pub const ORDERS_ALL: &str = "orders.*";
/// Every subject of [`STREAM_PAYMENTS`].
pub const PAYMENTS_ALL: &str = "payments.*";

/// Events of [`STREAM_ORDERS`] that payments, their reader, publishes to itself once more: its dead letters.
pub const ORDERS_REPLAYED: &str = "replay.payments.orders.*";
/// Events of [`STREAM_PAYMENTS`] that orders, their reader, publishes to itself once more: its dead letters.
pub const PAYMENTS_REPLAYED: &str = "replay.orders.payments.*";

/// [`crate::events::v1::OrderCreated`]
pub const ORDERS_CREATED: &str = "orders.created";
/// [`crate::events::v1::OrderPaid`]
pub const ORDERS_PAID: &str = "orders.paid";
/// [`crate::events::v1::OrderRejected`]
pub const ORDERS_REJECTED: &str = "orders.rejected";
/// [`crate::events::v1::OrderCancelled`]
pub const ORDERS_CANCELLED: &str = "orders.cancelled";
/// [`crate::events::v1::OrderRefunded`]
pub const ORDERS_REFUNDED: &str = "orders.refunded";

/// [`crate::events::v1::PaymentSucceeded`]
pub const PAYMENTS_SUCCEEDED: &str = "payments.succeeded";
/// [`crate::events::v1::PaymentFailed`]
pub const PAYMENTS_FAILED: &str = "payments.failed";
/// [`crate::events::v1::PaymentRefunded`]
pub const PAYMENTS_REFUNDED: &str = "payments.refunded";
/// [`crate::events::v1::PaymentRefundFailed`]
pub const PAYMENTS_REFUND_FAILED: &str = "payments.refund_failed";

/// Core NATS, in no stream: ids of orders that changed, so that waiters on other replicas wake.
pub const HINT_ORDERS: &str = "hint.orders";

/// The schema version of every event payload in `shopapi.events.v1`.
pub const SCHEMA_VERSION: i32 = 1;
