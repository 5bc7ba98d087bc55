-- The books of payments: one row per payment, every charge attempt and every refund attempt beside it. Never deleted.
--
-- A payment on the happy path is written three times: REQUESTED, UNKNOWN (an attempt is open), CAPTURED. `wake_at` is the only column
-- of an index that changes; it keeps its value from the first write to the second (a HOT update) and is cleared by the third. That one
-- index entry is the price of a sweep that finds what a crash left behind. Pages are filled by half, so that a burst of new payments
-- finds room for its second versions beside the first.

CREATE TABLE payments (
    payment_id     uuid PRIMARY KEY,
    order_id       bigint      NOT NULL CONSTRAINT payments_one_per_order UNIQUE,
    amount_cents   bigint      NOT NULL CHECK (amount_cents > 0),
    version        bigint      NOT NULL CHECK (version > 0),
    -- Who wrote this version: tells our own write from another's after an unknown commit.
    write_id       uuid        NOT NULL,
    wake_at        timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    attempt        int         NOT NULL CHECK (attempt >= 0),
    attempts_left  int         NOT NULL CHECK (attempts_left >= 0),
    look_ups       int         NOT NULL CHECK (look_ups >= 0),
    refund_attempt int         NOT NULL CHECK (refund_attempt >= 0),
    refund_tries   int         NOT NULL CHECK (refund_tries >= 0),
    void_requested boolean     NOT NULL,
    -- The capture was learnt after the payment had been closed without money; payments gives it back by itself.
    late_capture   boolean     NOT NULL,
    state          text        NOT NULL CHECK (state IN ('REQUESTED', 'UNKNOWN', 'CAPTURED', 'DECLINED', 'VOIDED')),
    refund_state   text        NOT NULL CHECK (refund_state IN ('NONE', 'REQUESTED', 'OPEN', 'REFUNDED', 'STUCK')),
    currency       text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    payment_method text        NOT NULL CHECK (length(payment_method) BETWEEN 1 AND 128),
    reason         text,
    traceparent    text,
    CONSTRAINT payments_refund_only_what_was_taken CHECK (refund_state = 'NONE' OR state = 'CAPTURED' OR late_capture),
    CONSTRAINT payments_late_money_is_given_back CHECK (
        NOT late_capture OR (state IN ('DECLINED', 'VOIDED') AND refund_state <> 'NONE'))
) WITH (fillfactor = 50);

-- What is due. Rows at rest have no wake time and are not in it, so it stays as small as the work that is open.
CREATE INDEX payments_due ON payments (wake_at) WHERE wake_at IS NOT NULL;

-- Recorded before each call of the provider.
CREATE TABLE payment_attempts (
    payment_id uuid        NOT NULL,
    attempt    int         NOT NULL CHECK (attempt > 0),
    state      text        NOT NULL CHECK (state IN ('OPEN', 'UNKNOWN', 'NOT_CHARGED', 'DECLINED', 'CAPTURED')),
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    PRIMARY KEY (payment_id, attempt)
) WITH (fillfactor = 80);

-- refund_id is UUIDv5 of (payment_id, attempt). A new attempt exists only after the one before it was REFUSED.
CREATE TABLE refunds (
    refund_id    uuid PRIMARY KEY,
    payment_id   uuid        NOT NULL,
    attempt      int         NOT NULL CHECK (attempt > 0),
    amount_cents bigint      NOT NULL CHECK (amount_cents > 0),
    state        text        NOT NULL CHECK (state IN ('REQUESTED', 'OPEN', 'REFUNDED', 'REFUSED')),
    reason       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refunds_one_row_per_attempt UNIQUE (payment_id, attempt)
);
-- Given back once.
CREATE UNIQUE INDEX refunds_given_back_once ON refunds (payment_id) WHERE state = 'REFUNDED';

-- Events that are committed with what they tell about; the drainer publishes them. The same columns in every service.
-- event_id is a UUIDv7: its order is time, so the pruner needs no index of its own.
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

-- What was agreed is frozen by privilege: the service may move a payment along, never change what is paid, and deletes no book.
GRANT SELECT ON payments, payment_attempts, refunds, outbox, dead_letters TO payments;
GRANT INSERT, UPDATE (version, write_id, wake_at, updated_at, attempt, attempts_left, look_ups, refund_attempt, refund_tries,
                      void_requested, late_capture, state, refund_state, reason) ON payments TO payments;
GRANT INSERT, UPDATE (state, ended_at) ON payment_attempts TO payments;
GRANT INSERT, UPDATE (state, reason, updated_at) ON refunds TO payments;
GRANT INSERT, DELETE, UPDATE (claimed_until, published_at) ON outbox TO payments;
GRANT INSERT, DELETE, UPDATE (replayed_at) ON dead_letters TO payments;
GRANT SELECT ON payments, payment_attempts, refunds, outbox, dead_letters TO shopapi_audit;
