--! seed_account
-- An account from the configuration. No row when it, or another with its e-mail, is there.
INSERT INTO accounts (customer_id, email, password_hash)
VALUES (:customer_id, :email, :password_hash)
ON CONFLICT DO NOTHING
RETURNING customer_id;

--! prune_tokens
-- Forgets up to `rows_max` refresh tokens of families that expired long ago, and as many of those that were ended long ago.
DELETE FROM refresh_tokens t
WHERE t.token_hash IN (
    (SELECT old.token_hash
     FROM refresh_families f
     JOIN refresh_tokens old ON old.family_id = f.family_id
     WHERE f.expires_at < now() - make_interval(secs => :retention_secs)
     ORDER BY f.expires_at
     LIMIT :rows_max)
    UNION ALL
    (SELECT old.token_hash
     FROM refresh_families f
     JOIN refresh_tokens old ON old.family_id = f.family_id
     WHERE f.ended_at < now() - make_interval(secs => :retention_secs)
     ORDER BY f.ended_at
     LIMIT :rows_max)
)
RETURNING t.family_id;

--! prune_families
-- Forgets up to `rows_max` families that expired long ago and have no token left, and as many that were ended long ago.
DELETE FROM refresh_families f
WHERE f.family_id IN (
    (SELECT old.family_id
     FROM refresh_families old
     WHERE old.expires_at < now() - make_interval(secs => :retention_secs)
       AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family_id = old.family_id)
     ORDER BY old.expires_at
     LIMIT :rows_max)
    UNION ALL
    (SELECT old.family_id
     FROM refresh_families old
     WHERE old.ended_at < now() - make_interval(secs => :retention_secs)
       AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family_id = old.family_id)
     ORDER BY old.ended_at
     LIMIT :rows_max)
)
RETURNING f.family_id;
