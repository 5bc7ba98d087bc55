-- Payments of orders $1 <= id < $2 (and among $3, when given) with their captures and refunds.
SELECT p.order_id, p.payment_id, p.version, p.state, p.refund_state, p.late_capture, p.reason, p.amount_cents, p.currency,
       p.wake_at IS NOT NULL AS is_swept,
       coalesce(a.captures, 0) AS captures,
       coalesce(r.ids, '{}') AS refund_ids, coalesce(r.cents, '{}') AS refund_cents
FROM payments p
LEFT JOIN (
    SELECT payment_id, count(*) AS captures FROM payment_attempts WHERE state = 'CAPTURED' GROUP BY payment_id) a USING (payment_id)
LEFT JOIN (
    SELECT payment_id, array_agg(refund_id) AS ids, array_agg(amount_cents) AS cents FROM refunds
    WHERE state = 'REFUNDED' GROUP BY payment_id) r USING (payment_id)
WHERE p.order_id >= $1 AND p.order_id < $2 AND ($3::bigint[] IS NULL OR p.order_id = ANY($3))
