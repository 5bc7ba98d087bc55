--! prune_outbox
-- Forgets up to `rows_max` events that were published long ago. The boundary is the smallest UUIDv7 of that time: event ids grow
-- with time, so the primary key finds the old ones.
WITH old AS MATERIALIZED (
    SELECT event_id
    FROM outbox
    WHERE event_id < rpad(
              lpad(to_hex((extract(epoch FROM now() - make_interval(secs => :retention_secs)) * 1000)::bigint), 12, '0'),
              32, '0')::uuid
      AND published_at < now() - make_interval(secs => :retention_secs)
    ORDER BY event_id
    LIMIT :rows_max
)
DELETE FROM outbox o USING old
WHERE o.event_id = old.event_id
RETURNING o.event_id;

--! prune_keys
WITH old AS MATERIALIZED (
    SELECT customer_id, key
    FROM idempotency_keys
    WHERE created_at < now() - make_interval(secs => :retention_secs)
    ORDER BY created_at
    LIMIT :rows_max
)
DELETE FROM idempotency_keys k USING old
WHERE k.customer_id = old.customer_id AND k.key = old.key
RETURNING k.order_id;

--! prune_dead_letters
WITH old AS MATERIALIZED (
    SELECT letter_id
    FROM dead_letters
    WHERE created_at < now() - make_interval(secs => :retention_secs)
    ORDER BY created_at
    LIMIT :rows_max
)
DELETE FROM dead_letters d USING old
WHERE d.letter_id = old.letter_id
RETURNING d.letter_id;
