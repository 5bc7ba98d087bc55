--! claim_outbox : ClaimedEvent(traceparent?)
-- Takes up to `rows_max` unpublished events that are at least `min_age_secs` old, for `lease_secs`.
UPDATE outbox
SET claimed_until = now() + make_interval(secs => :lease_secs)
WHERE event_id IN (
    SELECT event_id
    FROM outbox
    WHERE published_at IS NULL
      AND created_at < now() - make_interval(secs => :min_age_secs)
      AND (claimed_until IS NULL OR claimed_until < now())
    ORDER BY created_at
    LIMIT :rows_max
    FOR NO KEY UPDATE SKIP LOCKED)
RETURNING event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent;

--! insert_dead_letter (event_id?, schema_version?, aggregate_seq?, traceparent?)
-- A letter that is there already was replayed in vain: it is open again. A repeat of the same insert changes nothing.
INSERT INTO dead_letters (letter_id, stream, consumer, subject, event_id, schema_version, aggregate_seq, traceparent,
                          reason, detail, delivered, payload, payload_bytes)
VALUES (:letter_id, :stream, :consumer, :subject, :event_id, :schema_version, :aggregate_seq, :traceparent,
        :reason, :detail, :delivered, :payload, :payload_bytes)
ON CONFLICT (letter_id) DO UPDATE
SET replayed_at = NULL, reason = EXCLUDED.reason, detail = EXCLUDED.detail, delivered = EXCLUDED.delivered
RETURNING letter_id;
