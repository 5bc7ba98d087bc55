--! bring_look_ups_forward
-- Look-ups that wait for their time come at once: of payments whose call has ended without an answer or must have ended by now, and of
-- voided payments with a charge attempt. Of those the last step of their watch keeps its time, so that nobody shortens the watch.
WITH waiting AS MATERIALIZED (
    SELECT p.payment_id
    FROM payments p
    JOIN payment_attempts a ON a.payment_id = p.payment_id AND a.attempt = p.attempt
    WHERE p.wake_at > now()
      AND (   (p.state = 'UNKNOWN' AND (a.state = 'UNKNOWN' OR a.started_at < now() - make_interval(secs => :call_secs)))
           OR (p.state = 'VOIDED' AND NOT p.late_capture AND p.look_ups < :watched_look_ups_max))
    ORDER BY p.wake_at
    LIMIT :rows_max
    FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE payments p SET wake_at = now()
FROM waiting
WHERE p.payment_id = waiting.payment_id
RETURNING p.payment_id;

--! payment_of_order
SELECT payment_id FROM payments WHERE order_id = :order_id;

--: LetterRow(event_id?, schema_version?, aggregate_seq?, replayed_at?, discarded_at?, discarded_by?)

--! list_dead_letters : LetterRow
-- The newest first; with `everything` also those that were replayed or discarded.
SELECT letter_id, stream, consumer, subject, event_id, schema_version, aggregate_seq, reason, detail, delivered, payload_bytes,
       created_at, replayed_at, discarded_at, discarded_by
FROM dead_letters
WHERE :everything OR (replayed_at IS NULL AND discarded_at IS NULL)
ORDER BY created_at DESC
LIMIT :rows_max;

--! get_dead_letter : LetterRow
SELECT letter_id, stream, consumer, subject, event_id, schema_version, aggregate_seq, reason, detail, delivered, payload_bytes,
       created_at, replayed_at, discarded_at, discarded_by
FROM dead_letters
WHERE letter_id = :letter_id;

--! dead_letter_body : LetterBody(traceparent?)
SELECT payload, traceparent FROM dead_letters WHERE letter_id = :letter_id;

--! begin_replay
-- Marked before it is published: an event that is given up again at once opens its letter again, and that must come last.
WITH marked AS (
    UPDATE dead_letters SET replayed_at = now()
    WHERE letter_id = :letter_id AND discarded_at IS NULL
    RETURNING letter_id
)
INSERT INTO operator_actions (action_id, who, why, action, target, outcome)
SELECT :action_id::uuid, :who::text, :why::text, 'dead-letter.replay', letter_id::text, 'STARTED'
FROM marked
RETURNING action_id;

--! undo_replay
-- It was not published.
UPDATE dead_letters SET replayed_at = NULL WHERE letter_id = :letter_id RETURNING letter_id;

--! discard_dead_letter
WITH discarded AS (
    UPDATE dead_letters SET discarded_at = now(), discarded_by = :who
    WHERE letter_id = :letter_id AND discarded_at IS NULL
    RETURNING letter_id
)
INSERT INTO operator_actions (action_id, who, why, action, target, outcome, ended_at)
SELECT :action_id::uuid, :who, :why::text, 'dead-letter.discard', letter_id::text, 'DONE', now()
FROM discarded
RETURNING action_id;

--! outbox_status
SELECT count(*) AS unpublished,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_secs,
       (SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL) AS open_letters
FROM outbox
WHERE published_at IS NULL;

--! published_since (after?) : PublishedEvent(traceparent?)
-- One page of published events that were written in the last `since_secs`. Event ids are UUIDv7, so an age is a bound on the key.
SELECT event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent
FROM outbox
WHERE event_id > coalesce(
          :after::uuid,
          rpad(lpad(to_hex((extract(epoch FROM now() - make_interval(secs => :since_secs)) * 1000)::bigint), 12, '0'), 32, '0')::uuid)
  AND published_at IS NOT NULL
ORDER BY event_id
LIMIT :rows_max;

--! begin_action (expected_version?)
INSERT INTO operator_actions (action_id, who, why, action, target, expected_version, outcome)
VALUES (:action_id, :who, :why, :action, :target, :expected_version, 'STARTED')
RETURNING action_id;

--! end_action
UPDATE operator_actions SET outcome = :outcome, detail = :detail, ended_at = now()
WHERE action_id = :action_id
RETURNING action_id;

--! list_actions
-- What was done to one target, the oldest first.
SELECT who, why, action, outcome, detail, created_at
FROM (
    SELECT * FROM operator_actions
    WHERE target = :target
    ORDER BY created_at DESC
    LIMIT :rows_max
) newest
ORDER BY created_at;
