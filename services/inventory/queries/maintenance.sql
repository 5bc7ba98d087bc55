--! prune_released
-- Forgets up to `rows_max` releases of long ago together with the RELEASED rows they made.
WITH old AS MATERIALIZED (
    SELECT release_id, reservation_id
    FROM processed_releases
    WHERE released_at < now() - make_interval(secs => :retention_secs)
    ORDER BY released_at
    LIMIT :rows_max
), tombstones AS (
    DELETE FROM reservations r USING old
    WHERE r.reservation_id = old.reservation_id AND r.state = 'RELEASED'
)
DELETE FROM processed_releases p USING old
WHERE p.release_id = old.release_id
RETURNING p.release_id;

--! prune_refused
-- Forgets up to `rows_max` refusals of long ago.
WITH old AS MATERIALIZED (
    SELECT reservation_id
    FROM reservations
    WHERE refusal_reason IS NOT NULL AND created_at < now() - make_interval(secs => :retention_secs)
    ORDER BY created_at
    LIMIT :rows_max
)
DELETE FROM reservations r USING old
WHERE r.reservation_id = old.reservation_id
RETURNING r.reservation_id;
