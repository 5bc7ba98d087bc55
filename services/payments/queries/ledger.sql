--: PaymentRow(reason?, traceparent?)

--! write_batch (reasons[?], traceparents[?], refund_reasons[?], event_traceparents[?])
-- One batch of the ledger, one statement, no transaction held by the client. Rows are locked in the order of their keys; a row that
-- somebody else has locked is left out and its entry comes back. `base` 0 inserts, any other base updates the row that still has this
-- version. Attempts, refunds and events join on the entries that won, so an entry that lost writes nothing. Wake modes: 0 never,
-- 1 after `wake_secs`, 2 as it is but not before `wake_secs`.
WITH entry AS MATERIALIZED (
    SELECT * FROM unnest(
        :payment_ids::uuid[], :bases::bigint[], :write_ids::uuid[], :states::text[], :reasons::text[], :void_requested::bool[],
        :attempts::int[], :attempts_left::int[], :look_ups::int[], :late_captures::bool[], :refund_states::text[],
        :refund_attempts::int[], :refund_tries::int[], :wake_modes::int[], :wake_secs::float8[],
        :order_ids::bigint[], :amounts_cents::bigint[], :currencies::text[], :payment_methods::text[], :traceparents::text[]
    ) WITH ORDINALITY AS e (
        payment_id, base, write_id, state, reason, void_requested,
        attempt, attempts_left, look_ups, late_capture, refund_state,
        refund_attempt, refund_tries, wake_mode, wake_secs,
        order_id, amount_cents, currency, payment_method, traceparent, ordinal)
), locked AS MATERIALIZED (
    SELECT payment_id, version
    FROM payments
    WHERE payment_id = ANY(:locks::uuid[])
    ORDER BY payment_id
    FOR NO KEY UPDATE SKIP LOCKED
), updated AS (
    UPDATE payments p
    SET version = e.base + 1, write_id = e.write_id, updated_at = now(),
        state = e.state, reason = e.reason, void_requested = e.void_requested,
        attempt = e.attempt, attempts_left = e.attempts_left, look_ups = e.look_ups, late_capture = e.late_capture,
        refund_state = e.refund_state, refund_attempt = e.refund_attempt, refund_tries = e.refund_tries,
        wake_at = CASE e.wake_mode
            WHEN 0 THEN NULL
            WHEN 1 THEN now() + make_interval(secs => e.wake_secs)
            ELSE greatest(p.wake_at, now() + make_interval(secs => e.wake_secs))
        END
    FROM entry e
    JOIN locked l ON l.payment_id = e.payment_id AND l.version = e.base
    WHERE p.payment_id = e.payment_id AND p.version = e.base
    RETURNING e.ordinal
), inserted AS (
    INSERT INTO payments (
        payment_id, order_id, amount_cents, version, write_id, wake_at, attempt, attempts_left, look_ups, refund_attempt,
        refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent)
    SELECT
        payment_id, order_id, amount_cents, 1, write_id,
        CASE wake_mode WHEN 0 THEN NULL ELSE now() + make_interval(secs => wake_secs) END,
        attempt, attempts_left, look_ups, refund_attempt,
        refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent
    FROM entry
    WHERE base = 0
    ORDER BY order_id
    ON CONFLICT DO NOTHING
    RETURNING payment_id
), won AS MATERIALIZED (
    SELECT ordinal FROM updated
    UNION ALL
    SELECT e.ordinal FROM inserted i JOIN entry e ON e.payment_id = i.payment_id
), attempted AS (
    INSERT INTO payment_attempts (payment_id, attempt, state, ended_at)
    SELECT a.payment_id, a.attempt, a.state, CASE WHEN a.state <> 'OPEN' THEN now() END
    FROM unnest(:attempt_ordinals::bigint[], :attempt_payment_ids::uuid[], :attempt_numbers::int[], :attempt_states::text[])
        AS a (ordinal, payment_id, attempt, state)
    JOIN won USING (ordinal)
    ON CONFLICT (payment_id, attempt) DO UPDATE SET state = EXCLUDED.state, ended_at = EXCLUDED.ended_at
), refunded AS (
    INSERT INTO refunds (refund_id, payment_id, attempt, amount_cents, state, reason)
    SELECT r.refund_id, r.payment_id, r.attempt, r.amount_cents, r.state, r.reason
    FROM unnest(
        :refund_ordinals::bigint[], :refund_ids::uuid[], :refund_payment_ids::uuid[], :refund_numbers::int[],
        :refund_amounts_cents::bigint[], :refund_record_states::text[], :refund_reasons::text[]
    ) AS r (ordinal, refund_id, payment_id, attempt, amount_cents, state, reason)
    JOIN won USING (ordinal)
    ON CONFLICT (refund_id) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, updated_at = now()
), told AS (
    INSERT INTO outbox (event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent)
    SELECT o.event_id, o.order_id, o.aggregate_seq, o.subject, o.schema_version, o.payload, o.traceparent
    FROM unnest(
        :event_ordinals::bigint[], :event_ids::uuid[], :event_order_ids::bigint[], :event_seqs::bigint[], :event_subjects::text[],
        :event_schema_versions::int[], :event_payloads::bytea[], :event_traceparents::text[]
    ) AS o (ordinal, event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent)
    JOIN won USING (ordinal)
), marked AS (
    -- A mark whose row somebody holds is left out: the event is claimed, known as published, and marked again.
    UPDATE outbox o
    SET published_at = now()
    FROM (
        SELECT event_id FROM outbox
        WHERE event_id = ANY(:published_ids::uuid[]) AND published_at IS NULL
        ORDER BY event_id
        FOR NO KEY UPDATE SKIP LOCKED
    ) held
    WHERE o.event_id = held.event_id
)
SELECT ordinal FROM won;

--! find_payments : PaymentRow
-- The rows that entries met: by their own id, and by the order that another payment holds.
SELECT payment_id, order_id, amount_cents, version, write_id, attempt, attempts_left, look_ups, refund_attempt, refund_tries,
       void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent
FROM payments
WHERE payment_id = ANY(:payment_ids) OR order_id = ANY(:order_ids);

--! load_payments : PaymentRow
SELECT payment_id, order_id, amount_cents, version, write_id, attempt, attempts_left, look_ups, refund_attempt, refund_tries,
       void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent
FROM payments
WHERE payment_id = ANY(:payment_ids);

--! claim_due : PaymentRow
-- Claims due payments by moving their wake time, each kind of work up to its own limit.
WITH charges AS MATERIALIZED (
    SELECT payment_id FROM payments
    WHERE wake_at <= now() AND state = 'REQUESTED'
    ORDER BY wake_at LIMIT :charges_max
    FOR NO KEY UPDATE SKIP LOCKED
), look_ups AS MATERIALIZED (
    SELECT payment_id FROM payments
    WHERE wake_at <= now() AND (state = 'UNKNOWN' OR (state = 'VOIDED' AND NOT late_capture))
    ORDER BY wake_at LIMIT :look_ups_max
    FOR NO KEY UPDATE SKIP LOCKED
), refunds AS MATERIALIZED (
    SELECT payment_id FROM payments
    WHERE wake_at <= now() AND refund_state IN ('REQUESTED', 'OPEN')
    ORDER BY wake_at LIMIT :refunds_max
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payments p
SET wake_at = now() + make_interval(secs => :lease_secs)
FROM (
    SELECT payment_id FROM charges
    UNION ALL SELECT payment_id FROM look_ups
    UNION ALL SELECT payment_id FROM refunds
) due
WHERE p.payment_id = due.payment_id
RETURNING p.payment_id, p.order_id, p.amount_cents, p.version, p.write_id, p.attempt, p.attempts_left, p.look_ups, p.refund_attempt,
          p.refund_tries, p.void_requested, p.late_capture, p.state, p.refund_state, p.currency, p.payment_method, p.reason, p.traceparent;
