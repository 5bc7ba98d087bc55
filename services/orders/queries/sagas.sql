--: StoredSaga(traceparent?, total_cents?, currency?, quote?)

--! load_sagas : StoredSaga
SELECT order_id, customer_id, payment_method, traceparent, lines::text AS lines, version, details::text AS details,
       total_cents, currency, quote::text AS quote, created_at, updated_at
FROM orders
WHERE order_id = ANY(:order_ids);

--! claim_due : StoredSaga
-- Takes up to `rows_max` sagas whose deadline has passed, the oldest first, for `lease_secs` and up to a quarter longer, so that what
-- one outage delayed does not come back at one moment.
WITH due AS MATERIALIZED (
    SELECT order_id
    FROM orders
    WHERE wake_at <= now()
    ORDER BY wake_at
    LIMIT :rows_max
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE orders o
SET wake_at = now() + make_interval(secs => :lease_secs * (1 + random() / 4))
FROM due
WHERE o.order_id = due.order_id
RETURNING o.order_id, o.customer_id, o.payment_method, o.traceparent, o.lines::text AS lines, o.version,
          o.details::text AS details, o.total_cents, o.currency, o.quote::text AS quote, o.created_at, o.updated_at;

--! quoted_totals : QuotedTotal(total_cents?, currency?)
SELECT order_id, total_cents, currency
FROM orders
WHERE order_id = ANY(:order_ids);

--! versions
SELECT order_id, version
FROM orders
WHERE order_id = ANY(:order_ids);

--! overdue_sagas
-- How many sagas on their way forward are older than they should be; counts up to `count_max`. A waiting saga moves with each deadline, a
-- minute apart at most: one that has not moved for a quarter of an hour cannot be read, and turning customers away does not help it.
SELECT count(*) AS overdue
FROM (
    SELECT FROM orders
    WHERE wake_at IS NOT NULL AND saga_state = 'RUNNING' AND created_at < now() - make_interval(secs => :age_secs)
      AND updated_at > now() - interval '15 minutes'
    LIMIT :count_max
) old;

--! installation_id
SELECT installation_id FROM installation;

--! take_order_ids
-- The next `count` ids belong to the caller, from `first_id` on.
UPDATE order_id_blocks
SET next_id = next_id + :count
RETURNING next_id - :count AS first_id;
