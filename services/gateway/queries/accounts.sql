--! find_account
SELECT customer_id, password_hash
FROM accounts
WHERE email = :email;

--! register
-- A new account that is logged in at once. No row when the e-mail or the id is taken.
WITH account AS (
    INSERT INTO accounts (customer_id, email, password_hash)
    VALUES (:customer_id, :email, :password_hash)
    ON CONFLICT DO NOTHING
    RETURNING customer_id
), family AS (
    INSERT INTO refresh_families (family_id, customer_id, expires_at)
    SELECT :family_id, customer_id, now() + make_interval(secs => :lifetime_secs)
    FROM account
    RETURNING family_id, customer_id
), token AS (
    INSERT INTO refresh_tokens (token_hash, family_id)
    SELECT :token_hash, family_id
    FROM family
)
SELECT customer_id FROM family;

--! open_session
-- A login; of the customer's others `others_max` go on, and the oldest beyond them end. No row when it is a repetition of one that was
-- written. One of the oldest that is in use at this moment stays until the next login.
WITH family AS (
    INSERT INTO refresh_families (family_id, customer_id, expires_at)
    VALUES (:family_id, :customer_id, now() + make_interval(secs => :lifetime_secs))
    ON CONFLICT DO NOTHING
    RETURNING family_id, customer_id
), token AS (
    INSERT INTO refresh_tokens (token_hash, family_id)
    SELECT :token_hash, family_id
    FROM family
), crowd AS (
    SELECT f.family_id
    FROM refresh_families f
    WHERE f.family_id IN (
        SELECT old.family_id
        FROM refresh_families old
        JOIN family ON family.customer_id = old.customer_id
        WHERE old.ended_because IS NULL AND old.expires_at > now()
        ORDER BY old.created_at DESC, old.family_id DESC
        OFFSET :others_max
    )
    FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
    UPDATE refresh_families f
    SET ended_at = now(), ended_because = 'crowded_out'
    FROM crowd
    WHERE f.family_id = crowd.family_id
)
SELECT family_id FROM family;

--! rotate
-- Uses a refresh token up and puts `fresh` in its place, unless `wait_secs` is above zero: then its family has refreshed too often and nothing
-- is written. A used one ends its whole family. No row when nobody has this token. Two at once take turns at the lock, and the second one finds
-- the token used.
WITH found AS MATERIALIZED (
    SELECT f.family_id, f.customer_id,
           f.ended_because IS NULL AND f.expires_at > now() AS alive,
           t.used_at IS NULL AS unused,
           t.replaced_by IS NOT DISTINCT FROM :fresh AS repeated,
           extract(epoch FROM greatest(f.refreshes_full_at, now()) - now())::float8
               + :refill_secs - :burst_secs AS wait_secs
    FROM refresh_tokens t
    JOIN refresh_families f ON f.family_id = t.family_id
    WHERE t.token_hash = :presented
    FOR UPDATE
), used AS (
    UPDATE refresh_tokens t
    SET used_at = now(), replaced_by = :fresh
    FROM found
    WHERE t.token_hash = :presented AND found.alive AND found.unused AND found.wait_secs <= 0
    RETURNING t.family_id
), paid AS (
    UPDATE refresh_families f
    SET refreshes_full_at = greatest(f.refreshes_full_at, now()) + make_interval(secs => :refill_secs)
    FROM used
    WHERE f.family_id = used.family_id
), fresh AS (
    INSERT INTO refresh_tokens (token_hash, family_id)
    SELECT :fresh, family_id
    FROM used
), ended AS (
    UPDATE refresh_families f
    SET ended_at = now(), ended_because = 'reuse'
    FROM found
    WHERE f.family_id = found.family_id AND found.alive AND NOT found.unused AND NOT found.repeated
)
SELECT family_id, customer_id, alive, unused, repeated, wait_secs FROM found;

--! logout
-- Ends the family of a token, used or not. No row when there was nothing to end.
UPDATE refresh_families f
SET ended_at = now(), ended_because = 'logout'
FROM refresh_tokens t
WHERE t.token_hash = :token_hash AND f.family_id = t.family_id AND f.ended_because IS NULL
RETURNING f.family_id;
