-- The books of stock: what is sold, what is there, what is held for whom.
--
-- Two rules keep the hot path cheap and the books honest:
--   * columns that change (stock.on_hand, stock.reserved, reservations.state) stand in no index and in no index predicate,
--     so their updates are HOT: no index is touched and the old versions are pruned on the page;
--   * reservations that hold or sold goods are never deleted, by anybody (trigger below).

-- What is on offer. A price is frozen into a reservation's lines when it is made.
CREATE TABLE products (
    sku              text COLLATE "C" PRIMARY KEY CHECK (sku ~ '^[!-~]{1,64}$'),
    name             text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    unit_price_cents bigint      NOT NULL CHECK (unit_price_cents >= 0),
    currency         text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at       timestamptz NOT NULL DEFAULT now()
);

-- What is there. on_hand = initial + Σ stock_adjustments − Σ COMMITTED; reserved = Σ HELD. The audit checks both.
-- Half-empty pages: a hot row is rewritten thousands of times a second and finds room beside itself.
CREATE TABLE stock (
    sku      text COLLATE "C" PRIMARY KEY REFERENCES products,
    initial  bigint NOT NULL CHECK (initial >= 0),
    on_hand  bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    CONSTRAINT stock_covers_what_is_held CHECK (reserved <= on_hand)
) WITH (fillfactor = 50);

-- Deliveries, losses, counts, returned goods: every change of stock that no reservation made.
CREATE TABLE stock_adjustments (
    adjustment_id uuid PRIMARY KEY,
    sku           text COLLATE "C" NOT NULL REFERENCES stock,
    quantity      bigint      NOT NULL CHECK (quantity <> 0),
    reason        text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stock_adjustments_by_sku ON stock_adjustments (sku);

-- One row per reservation, refusals and tombstones included, so that every repeat of a command finds its answer.
-- `lines` is [{"sku", "quantity", "unit_price_cents"}], written once: one row instead of one per line on the hot path.
-- `shortages` is [{"sku", "requested", "available"}].
CREATE TABLE reservations (
    reservation_id uuid PRIMARY KEY,
    order_id       bigint      NOT NULL,
    state          text        NOT NULL CHECK (state IN ('HELD', 'REFUSED', 'COMMITTED', 'RELEASED')),
    total_cents    bigint      CHECK (total_cents > 0),
    currency       text        CHECK (currency ~ '^[A-Z]{3}$'),
    lines          jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(lines) = 'array'),
    refusal_reason text        CHECK (refusal_reason IN
                       ('INVALID_LINES', 'UNKNOWN_SKU', 'MIXED_CURRENCY', 'TOTAL_OUT_OF_RANGE', 'OUT_OF_STOCK')),
    shortages      jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(shortages) = 'array'),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reservations_refused_for_a_reason CHECK ((state = 'REFUSED') = (refusal_reason IS NOT NULL)),
    CONSTRAINT reservations_granted_with_a_total CHECK (
        (total_cents IS NULL) = (lines = '[]') AND (currency IS NULL) = (total_cents IS NULL)),
    CONSTRAINT reservations_hold_something CHECK (state NOT IN ('HELD', 'COMMITTED') OR total_cents IS NOT NULL)
) WITH (fillfactor = 70);

-- Finds refusals that are old enough to be forgotten. The predicate names a column that never changes: `state` in it would
-- cost every HELD → COMMITTED its HOT update.
CREATE INDEX reservations_refused_at ON reservations (created_at) WHERE refusal_reason IS NOT NULL;

-- The releases that moved a reservation to RELEASED, written in the same transaction: exactly one per RELEASED row.
CREATE TABLE processed_releases (
    release_id     uuid PRIMARY KEY,
    reservation_id uuid        NOT NULL,
    order_id       bigint      NOT NULL,
    released_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX processed_releases_released_at ON processed_releases (released_at);

-- The lines as rows, for the audit and for people.
CREATE VIEW reservation_lines AS
SELECT r.reservation_id, r.order_id, r.state, l.sku, l.quantity, l.unit_price_cents
FROM reservations r
CROSS JOIN LATERAL jsonb_to_recordset(r.lines) AS l (sku text, quantity bigint, unit_price_cents bigint);

CREATE FUNCTION reservations_are_books() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('HELD', 'COMMITTED') THEN
        RAISE EXCEPTION 'reservation % is %: it is never deleted', OLD.reservation_id, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER reservations_are_books BEFORE DELETE ON reservations
    FOR EACH ROW EXECUTE FUNCTION reservations_are_books();

-- Puts a product on offer with its first stock. True when it is new; a repeat changes nothing.
CREATE FUNCTION add_product(p_sku text, p_name text, p_unit_price_cents bigint, p_currency text, p_initial bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO products (sku, name, unit_price_cents, currency)
    VALUES (p_sku, p_name, p_unit_price_cents, p_currency)
    ON CONFLICT (sku) DO NOTHING;
    INSERT INTO stock (sku, initial, on_hand) VALUES (p_sku, p_initial, p_initial)
    ON CONFLICT (sku) DO NOTHING;
    RETURN FOUND;
END
$$;

-- Books a change of stock that no reservation made. True when it is new; a repeat of the same id changes nothing.
-- Taking away pieces that are held is refused by stock_covers_what_is_held.
CREATE FUNCTION adjust_stock(p_adjustment_id uuid, p_sku text, p_quantity bigint, p_reason text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stock_adjustments (adjustment_id, sku, quantity, reason)
    VALUES (p_adjustment_id, p_sku, p_quantity, p_reason)
    ON CONFLICT (adjustment_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE stock SET on_hand = on_hand + p_quantity WHERE sku = p_sku;
    RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION add_product, adjust_stock FROM PUBLIC;

-- The service reads the catalogue, moves stock and reservations, and prunes what has ended without goods. It changes no price
-- and books no adjustment.
GRANT SELECT ON products, stock, reservations, reservation_lines, processed_releases TO inventory;
GRANT UPDATE (on_hand, reserved) ON stock TO inventory;
GRANT INSERT, DELETE, UPDATE (state, updated_at) ON reservations TO inventory;
GRANT INSERT, DELETE ON processed_releases TO inventory;
GRANT SELECT ON products, stock, stock_adjustments, reservations, reservation_lines, processed_releases TO shopapi_audit;
