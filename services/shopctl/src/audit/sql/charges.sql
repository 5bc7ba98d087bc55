-- The provider's charges of orders $1 <= id < $2 (and among $3, when given) with its refunds.
SELECT c.order_id, c.idempotency_key, c.outcome, c.amount_cents, c.currency,
       coalesce(r.ids, '{}') AS refund_ids, coalesce(r.cents, '{}') AS refund_cents
FROM provider_charges c
LEFT JOIN (
    SELECT charge_key, array_agg(idempotency_key) AS ids, array_agg(amount_cents) AS cents FROM provider_refunds
    WHERE outcome = 'REFUNDED' GROUP BY charge_key) r ON r.charge_key = c.idempotency_key
WHERE c.order_id >= $1 AND c.order_id < $2 AND ($3::bigint[] IS NULL OR c.order_id = ANY($3))
