-- What people did by hand: who, why, to what, and what came of it. Part of the books, never deleted. An act that is one statement is
-- recorded by that statement; any other is recorded as STARTED before it begins, and a row that stays so tells of a crash in between.
CREATE TABLE operator_actions (
    action_id        uuid PRIMARY KEY,
    who              text        NOT NULL CHECK (length(who) BETWEEN 1 AND 100),
    why              text        NOT NULL CHECK (length(why) BETWEEN 1 AND 1000),
    action           text        NOT NULL,
    -- An order, a payment, a letter; what it is, the action says.
    target           text        NOT NULL,
    expected_version bigint,
    outcome          text        NOT NULL CHECK (outcome IN ('STARTED', 'DONE', 'REFUSED', 'UNKNOWN')),
    detail           text        NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz
);
CREATE INDEX operator_actions_target ON operator_actions (target, created_at);

-- Sagas that wait for an operator are few among millions; no step of an order that goes well touches this index.
CREATE INDEX orders_stuck ON orders (order_id) WHERE saga_state = 'STUCK';

-- A letter is open until it was replayed or discarded; one that is given up again after its replay is open again.
ALTER TABLE dead_letters
    ADD COLUMN discarded_at timestamptz,
    ADD COLUMN discarded_by text;

GRANT SELECT, INSERT, UPDATE (outcome, detail, ended_at) ON operator_actions TO orders;
GRANT UPDATE (discarded_at, discarded_by, reason, detail, delivered) ON dead_letters TO orders;
GRANT SELECT ON operator_actions TO shopapi_audit;
