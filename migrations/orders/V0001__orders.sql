-- The books of orders: what was asked for, where each order's saga stands, and how it came there.
--
-- Two rules keep the hot path cheap:
--   * order and saga are one row, so that a transition is one update;
--   * of the indexed columns only wake_at ever changes, and an order that goes well changes it once, when it ends: every other
--     transition is a HOT update that touches no index.

-- One row, made here: the namespace of every derived id, and with it the name of this installation in other services' tables.
CREATE TABLE installation (
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    installation_id uuid        NOT NULL DEFAULT gen_random_uuid(),
    created_at      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation DEFAULT VALUES;

-- One row: the first order id that no replica has taken yet. Replicas take whole blocks ahead of need; what is left of a block when
-- its replica ends is never used.
CREATE TABLE order_id_blocks (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    next_id  bigint NOT NULL CHECK (next_id > 0)
);
INSERT INTO order_id_blocks (next_id) VALUES (1);

-- One row per accepted order, never deleted. `lines` is [{"sku", "quantity"}] as ordered. `step` … `details` are written together
-- with each transition: `details` is the step with its parameters and is the truth, the others are computed from it for readers.
-- `quote` is [{"sku", "quantity", "unit_price"}] with the prices that the reservation froze.
CREATE TABLE orders (
    order_id       bigint PRIMARY KEY CHECK (order_id > 0),
    customer_id    uuid        NOT NULL,
    payment_method text        NOT NULL CHECK (length(payment_method) BETWEEN 1 AND 200),
    traceparent    text,
    lines          jsonb       NOT NULL CHECK (jsonb_typeof(lines) = 'array'),
    created_at     timestamptz NOT NULL DEFAULT now(),
    version        bigint      NOT NULL CHECK (version > 0),
    status         text        NOT NULL CHECK (status IN ('PENDING', 'AWAITING_PAYMENT', 'PAID', 'REJECTED',
                       'CANCEL_PENDING', 'CANCELLED', 'REFUND_PENDING', 'REFUNDED')),
    saga_state     text        NOT NULL CHECK (saga_state IN ('RUNNING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'STUCK')),
    step           text        NOT NULL,
    cancel_reason  text,
    details        jsonb       NOT NULL CHECK (jsonb_typeof(details) = 'object'),
    total_cents    bigint      CHECK (total_cents > 0),
    currency       text        CHECK (currency ~ '^[A-Z]{3}$'),
    quote          jsonb       CHECK (jsonb_typeof(quote) = 'array'),
    wake_at        timestamptz,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_quoted_whole CHECK (
        (total_cents IS NULL) = (quote IS NULL) AND (currency IS NULL) = (quote IS NULL))
) WITH (fillfactor = 70);
-- A customer's orders, newest first.
CREATE INDEX orders_by_customer ON orders (customer_id, order_id);
-- Every saga that is under way, by its deadline: for the sweeper.
CREATE INDEX orders_wake_at ON orders (wake_at) WHERE wake_at IS NOT NULL;

-- Every transition with its cause; part of the order and kept as long. After a commit whose outcome stayed unknown `write_id` tells
-- whose write a version was.
CREATE TABLE order_timeline (
    order_id   bigint      NOT NULL,
    version    bigint      NOT NULL,
    status     text        NOT NULL,
    step       text        NOT NULL,
    saga_state text        NOT NULL,
    cause      text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    write_id   uuid        NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- Which order a customer's Idempotency-Key made. `fingerprint` is the SHA-256 of the canonical request.
CREATE TABLE idempotency_keys (
    customer_id uuid        NOT NULL,
    key         text COLLATE "C" NOT NULL CHECK (key ~ '^[ -~]{1,255}$'),
    fingerprint bytea       NOT NULL CHECK (length(fingerprint) = 32),
    order_id    bigint      NOT NULL,
    write_id    uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- Committed events on their way to the bus. Old rows are found by event_id, a UUIDv7: it grows with time, so retention needs no
-- further index on the busiest table.
CREATE TABLE outbox (
    event_id       uuid PRIMARY KEY,
    order_id       bigint      NOT NULL,
    aggregate_seq  bigint      NOT NULL,
    subject        text        NOT NULL,
    schema_version int         NOT NULL,
    payload        bytea       NOT NULL,
    traceparent    text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    claimed_until  timestamptz,
    published_at   timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (created_at) WHERE published_at IS NULL;

-- Events that were given up, with all that was readable of them; committed before the broker is told to forget them.
CREATE TABLE dead_letters (
    letter_id      uuid PRIMARY KEY,
    stream         text        NOT NULL,
    consumer       text        NOT NULL,
    subject        text        NOT NULL,
    event_id       uuid,
    schema_version int,
    aggregate_seq  bigint,
    traceparent    text,
    reason         text        NOT NULL,
    detail         text        NOT NULL,
    delivered      bigint      NOT NULL,
    payload        bytea       NOT NULL,
    payload_bytes  bigint      NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    replayed_at    timestamptz
);
CREATE INDEX dead_letters_created_at ON dead_letters (created_at);

-- The service accepts orders and moves their sagas; it deletes only what has a retention.
GRANT SELECT ON installation, order_id_blocks, orders, order_timeline, idempotency_keys, outbox, dead_letters TO orders;
GRANT UPDATE (next_id) ON order_id_blocks TO orders;
GRANT INSERT, UPDATE (version, status, saga_state, step, cancel_reason, details, total_cents, currency, quote, wake_at, updated_at)
    ON orders TO orders;
GRANT INSERT ON order_timeline TO orders;
GRANT INSERT, DELETE ON idempotency_keys TO orders;
GRANT INSERT, DELETE, UPDATE (claimed_until, published_at) ON outbox TO orders;
GRANT INSERT, DELETE, UPDATE (replayed_at) ON dead_letters TO orders;
GRANT SELECT ON installation, order_id_blocks, orders, order_timeline, idempotency_keys, outbox, dead_letters TO shopapi_audit;
