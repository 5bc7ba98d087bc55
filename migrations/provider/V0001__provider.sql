-- The simulated payment provider's own books: what it answered, by idempotency key. The audit compares them with payments' books.

CREATE TABLE provider_charges (
    idempotency_key uuid PRIMARY KEY,
    order_id        bigint      NOT NULL,
    amount_cents    bigint      NOT NULL CHECK (amount_cents > 0),
    currency        text        NOT NULL,
    payment_method  text        NOT NULL,
    outcome         text        NOT NULL CHECK (outcome IN ('CAPTURED', 'DECLINED')),
    reason          text,
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE provider_refunds (
    idempotency_key uuid PRIMARY KEY,
    charge_key      uuid        NOT NULL,
    amount_cents    bigint      NOT NULL CHECK (amount_cents > 0),
    currency        text        NOT NULL,
    outcome         text        NOT NULL CHECK (outcome IN ('REFUNDED', 'REFUSED')),
    reason          text,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX provider_refunds_by_charge ON provider_refunds (charge_key);
CREATE UNIQUE INDEX provider_refunds_once ON provider_refunds (charge_key) WHERE outcome = 'REFUNDED';

-- How often a flaky charge was tried. Not an answer: transient errors are never stored, but every replica has to count the same.
CREATE TABLE provider_calls (
    idempotency_key uuid PRIMARY KEY,
    calls           int         NOT NULL CHECK (calls > 0),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX provider_calls_created_at ON provider_calls (created_at);

GRANT SELECT, INSERT ON provider_charges, provider_refunds TO provider;
GRANT SELECT, INSERT, DELETE, UPDATE (calls) ON provider_calls TO provider;
GRANT SELECT ON provider_charges, provider_refunds, provider_calls TO shopapi_audit;
