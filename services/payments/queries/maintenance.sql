--! prune_outbox
-- Forgets up to `rows_max` events that were published long ago. Event ids are UUIDv7, so an age is a bound on the key.
DELETE FROM outbox
WHERE event_id IN (
    SELECT event_id FROM outbox
    WHERE published_at IS NOT NULL
      AND event_id < (lpad(to_hex((extract(epoch FROM now() - make_interval(secs => :retention_secs)) * 1000)::bigint), 12, '0')
                      || '70008000000000000000')::uuid
    ORDER BY event_id
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED)
RETURNING event_id;

--! prune_dead_letters
-- Forgets up to `rows_max` dead letters of long ago.
DELETE FROM dead_letters
WHERE letter_id IN (
    SELECT letter_id FROM dead_letters
    WHERE created_at < now() - make_interval(secs => :retention_secs)
    ORDER BY created_at
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED)
RETURNING letter_id;
