--! commit_batch (cancel_reasons[?], wake_secs[?], total_cents[?], currencies[?], quotes[?], traceparents[?], keys[?], fingerprints[?], event_traceparents[?])
-- The journal's one write: accepts, transitions, their events, and marks of published events, in one autocommit statement. An
-- entry's ordinal is its place in `order_ids`, counted from 1. The answer names the entries that were written and those whose rows
-- somebody else holds; what is in neither met another version or a used key, and nothing of it was written.
WITH entry AS MATERIALIZED (
    SELECT *
    FROM unnest(
        :order_ids::bigint[], :versions::bigint[], :write_ids::uuid[], :statuses::text[], :saga_states::text[], :steps::text[],
        :cancel_reasons::text[], :details::text[], :causes::text[], :wake_moves::bool[], :wake_secs::float8[],
        :total_cents::bigint[], :currencies::text[], :quotes::text[])
        WITH ORDINALITY AS e (
            order_id, version, write_id, status, saga_state, step, cancel_reason, details, cause, wake_moves, wake_secs,
            total_cents, currency, quote, ordinal)
), accept AS MATERIALIZED (
    SELECT *
    FROM unnest(
        :accept_ordinals::bigint[], :customer_ids::uuid[], :payment_methods::text[], :lines::text[], :traceparents::text[],
        :keys::text[], :fingerprints::bytea[])
        AS a (ordinal, customer_id, payment_method, lines, traceparent, key, fingerprint)
), won_key AS (
    -- In the order of the keys: two replicas that meet wait for each other in one direction only.
    INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id, write_id)
    SELECT a.customer_id, a.key, a.fingerprint, e.order_id, e.write_id
    FROM accept a
    JOIN entry e USING (ordinal)
    WHERE a.key IS NOT NULL
    ORDER BY a.customer_id, a.key COLLATE "C"
    ON CONFLICT (customer_id, key) DO NOTHING
    RETURNING order_id
), accepted AS (
    -- The conflict is our own earlier write, when a batch with an unknown outcome is repeated.
    INSERT INTO orders (order_id, customer_id, payment_method, traceparent, lines, version, status, saga_state, step,
                        cancel_reason, details, wake_at)
    SELECT e.order_id, a.customer_id, a.payment_method, a.traceparent, a.lines::jsonb, e.version, e.status, e.saga_state, e.step,
           e.cancel_reason, e.details::jsonb, now() + make_interval(secs => e.wake_secs)
    FROM accept a
    JOIN entry e USING (ordinal)
    WHERE a.key IS NULL OR e.order_id IN (SELECT order_id FROM won_key)
    ORDER BY e.order_id
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id
), locked AS MATERIALIZED (
    -- In the order of the ids, waiting for nobody.
    SELECT o.order_id
    FROM entry e
    JOIN orders o USING (order_id)
    WHERE e.version > 1
    ORDER BY o.order_id
    FOR NO KEY UPDATE OF o SKIP LOCKED
), moved AS (
    UPDATE orders o
    SET version = e.version, status = e.status, saga_state = e.saga_state, step = e.step, cancel_reason = e.cancel_reason,
        details = e.details::jsonb,
        total_cents = coalesce(e.total_cents, o.total_cents),
        currency = coalesce(e.currency, o.currency),
        quote = coalesce(e.quote::jsonb, o.quote),
        wake_at = CASE WHEN e.wake_moves THEN now() + make_interval(secs => e.wake_secs) ELSE o.wake_at END,
        updated_at = now()
    FROM entry e
    JOIN locked l USING (order_id)
    WHERE o.order_id = e.order_id AND o.version = e.version - 1
    RETURNING e.ordinal
), won AS MATERIALIZED (
    SELECT ordinal FROM moved
    UNION ALL
    SELECT e.ordinal FROM accepted a JOIN entry e USING (order_id)
), history AS (
    INSERT INTO order_timeline (order_id, version, status, step, saga_state, cause, write_id)
    SELECT e.order_id, e.version, e.status, e.step, e.saga_state, e.cause, e.write_id
    FROM won
    JOIN entry e USING (ordinal)
), events AS (
    INSERT INTO outbox (event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent)
    SELECT v.event_id, e.order_id, e.version, v.subject, v.schema_version, v.payload, v.traceparent
    FROM unnest(
        :event_ordinals::bigint[], :event_ids::uuid[], :subjects::text[], :schema_versions::int[], :payloads::bytea[],
        :event_traceparents::text[])
        AS v (ordinal, event_id, subject, schema_version, payload, traceparent)
    JOIN won USING (ordinal)
    JOIN entry e USING (ordinal)
), marked AS (
    -- A mark whose row somebody holds is left out: the event is claimed, known as published, and marked again.
    UPDATE outbox o
    SET published_at = now()
    FROM (
        SELECT event_id FROM outbox
        WHERE event_id = ANY(:published_ids::uuid[])
        ORDER BY event_id
        FOR NO KEY UPDATE SKIP LOCKED
    ) held
    WHERE o.event_id = held.event_id
)
SELECT now() AS at,
       ARRAY(SELECT ordinal FROM won) AS won,
       ARRAY(
           SELECT e.ordinal
           FROM entry e
           WHERE e.version > 1
             AND NOT EXISTS (SELECT FROM locked l WHERE l.order_id = e.order_id)
             AND EXISTS (SELECT FROM orders o WHERE o.order_id = e.order_id)
       ) AS busy;

--! read_lost (customer_ids[?], keys[?]) : LostEntry(write_id?, at?, key_order_id?, fingerprint?)
-- For entries that were not written: who wrote that version, and which order the key belongs to.
SELECT l.ordinal, t.write_id, t.at, k.order_id AS key_order_id, k.fingerprint
FROM unnest(:order_ids::bigint[], :versions::bigint[], :customer_ids::uuid[], :keys::text[])
    WITH ORDINALITY AS l (order_id, version, customer_id, key, ordinal)
LEFT JOIN order_timeline t ON t.order_id = l.order_id AND t.version = l.version
LEFT JOIN idempotency_keys k ON k.customer_id = l.customer_id AND k.key = l.key;
