-- Who may log in, and what keeps them logged in. Passwords only as argon2id hashes, refresh tokens only as SHA-256.

CREATE TABLE accounts (
    -- The `sub` of this person's access tokens, and the customer of their orders.
    customer_id   uuid PRIMARY KEY,
    -- One person has one spelling: trimmed and in lower case before it comes here.
    email         text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    password_hash text        NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX accounts_email ON accounts (email);

-- One login and every refresh token that descends from it: they live and end together.
CREATE TABLE refresh_families (
    family_id     uuid PRIMARY KEY,
    customer_id   uuid        NOT NULL REFERENCES accounts,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- Absolute: refreshing does not move it.
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    ended_because text CHECK (ended_because IN ('logout', 'reuse')),
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE INDEX refresh_families_customer ON refresh_families (customer_id);
CREATE INDEX refresh_families_expires_at ON refresh_families (expires_at);

CREATE TABLE refresh_tokens (
    token_hash  bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    family_id   uuid        NOT NULL REFERENCES refresh_families,
    created_at  timestamptz NOT NULL DEFAULT now(),
    used_at     timestamptz,
    -- Its successor: a rotation whose answer was lost on the way to us can be repeated with the same one.
    replaced_by bytea,
    CHECK ((used_at IS NULL) = (replaced_by IS NULL))
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
-- A family has one token that can still be used.
CREATE UNIQUE INDEX refresh_tokens_current ON refresh_tokens (family_id) WHERE used_at IS NULL;

GRANT SELECT, INSERT ON accounts TO gateway;
GRANT SELECT, INSERT, DELETE, UPDATE (ended_at, ended_because) ON refresh_families TO gateway;
GRANT SELECT, INSERT, DELETE, UPDATE (used_at, replaced_by) ON refresh_tokens TO gateway;
