--! outbox_backlog
-- Events that are committed and not published.
SELECT count(*) AS unpublished,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS lag_secs
FROM outbox
WHERE published_at IS NULL;

--! letters_by_state
-- Every letter is in one state; retention bounds the table.
SELECT count(*) FILTER (WHERE replayed_at IS NULL AND discarded_at IS NULL) AS open,
       count(*) FILTER (WHERE replayed_at IS NOT NULL) AS replayed,
       count(*) FILTER (WHERE replayed_at IS NULL AND discarded_at IS NOT NULL) AS discarded
FROM dead_letters;

--! refused_refunds
-- Payments whose last refund was refused: money that is owed.
SELECT count(*) AS refused
FROM refunds r
WHERE state = 'REFUSED'
  AND NOT EXISTS (
      SELECT FROM refunds later
      WHERE later.payment_id = r.payment_id AND (later.state <> 'REFUSED' OR later.attempt > r.attempt)
  );
