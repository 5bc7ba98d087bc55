--: OrderRow(traceparent?, cancel_reason?, total_cents?, currency?)

--! get_order : OrderRow
SELECT order_id, customer_id, status, saga_state, cancel_reason, lines::text AS lines, total_cents, currency, traceparent,
       created_at, updated_at, version
FROM orders
WHERE order_id = :order_id AND customer_id = :customer_id;

--! list_orders (status?) : OrderRow
-- One page of a customer's orders below `before_order_id`, newest first; with `status` only those.
SELECT order_id, customer_id, status, saga_state, cancel_reason, lines::text AS lines, total_cents, currency, traceparent,
       created_at, updated_at, version
FROM orders
WHERE customer_id = :customer_id
  AND order_id < :before_order_id
  AND (:status::text IS NULL OR status = :status)
ORDER BY order_id DESC
LIMIT :rows_max;

--! get_timeline
-- The transitions above `after_version`, oldest first; none when the order is another customer's.
SELECT t.version, t.status, t.step, t.saga_state, t.cause, t.at
FROM order_timeline t
JOIN orders o USING (order_id)
WHERE t.order_id = :order_id AND o.customer_id = :customer_id AND t.version > :after_version
ORDER BY t.version;
