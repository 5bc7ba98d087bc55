--! active_sagas
-- Sagas under way by their step; the partial index of deadlines holds them all.
SELECT count(*) FILTER (WHERE step = 'reserving') AS reserving,
       count(*) FILTER (WHERE step = 'awaiting_payment') AS awaiting_payment,
       count(*) FILTER (WHERE step = 'voiding') AS voiding,
       count(*) FILTER (WHERE step = 'releasing') AS releasing,
       count(*) FILTER (WHERE step = 'committing') AS committing,
       count(*) FILTER (WHERE step = 'committing_for_refund') AS committing_for_refund,
       count(*) FILTER (WHERE step = 'releasing_for_refund') AS releasing_for_refund,
       count(*) FILTER (WHERE step = 'refunding') AS refunding,
       count(*) FILTER (WHERE step = 'settling') AS settling,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_age_secs
FROM orders
WHERE wake_at IS NOT NULL;

--! stuck_sagas
-- Sagas that wait for an operator.
SELECT count(*) FILTER (WHERE details->>'reason' = 'commit_refused') AS commit_refused,
       count(*) FILTER (WHERE details->>'reason' = 'release_refused') AS release_refused,
       count(*) FILTER (WHERE details->>'reason' = 'refund_refused') AS refund_refused,
       count(*) FILTER (WHERE details->>'reason' = 'payment_mismatch') AS payment_mismatch,
       count(*) FILTER (WHERE details->>'reason' = 'call_refused') AS call_refused,
       count(*) FILTER (WHERE details->>'reason' = 'poison') AS poison
FROM orders
WHERE saga_state = 'STUCK';

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
