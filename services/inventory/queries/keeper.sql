--: LockedReservation(state?, total_cents?, currency?, lines?, refusal_reason?, shortages?)

--! lock_reservations : LockedReservation
-- Locks the reservations that exist, in the order of their ids. A row that somebody else has locked comes back with `busy`:
-- it is there in the snapshot and missing among the locked.
WITH locked AS MATERIALIZED (
    SELECT reservation_id, state, total_cents, currency, lines, refusal_reason, shortages
    FROM reservations
    WHERE reservation_id = ANY(:reservation_ids)
    ORDER BY reservation_id
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT r.reservation_id, r.order_id, l.reservation_id IS NULL AS busy,
       l.state, l.total_cents, l.currency, l.lines, l.refusal_reason, l.shortages
FROM reservations r
LEFT JOIN locked l USING (reservation_id)
WHERE r.reservation_id = ANY(:reservation_ids);

--! lock_stock
-- Locks the stock under new reservations (by SKU) and under held ones (by their lines), in the order of the SKUs, and waits for
-- rows that are locked elsewhere: with several replicas on a hot SKU a short wait is cheaper than coming back. One array of both kinds
-- keeps it an index scan; an OR would read the whole table.
SELECT s.sku, s.on_hand, s.reserved, p.unit_price_cents, p.currency
FROM stock s
JOIN products p USING (sku)
WHERE s.sku = ANY(ARRAY(
    SELECT unnest(:skus::text[])
    UNION ALL
    SELECT l.sku FROM reservation_lines l
    WHERE l.reservation_id = ANY(:reservation_ids) AND l.state = 'HELD'))
ORDER BY s.sku
FOR NO KEY UPDATE OF s;

--! lock_free_stock
-- As lock_stock, but leaves out the rows that are locked elsewhere instead of waiting for them.
SELECT s.sku, s.on_hand, s.reserved, p.unit_price_cents, p.currency
FROM stock s
JOIN products p USING (sku)
WHERE s.sku = ANY(ARRAY(
    SELECT unnest(:skus::text[])
    UNION ALL
    SELECT l.sku FROM reservation_lines l
    WHERE l.reservation_id = ANY(:reservation_ids) AND l.state = 'HELD'))
ORDER BY s.sku
FOR NO KEY UPDATE OF s SKIP LOCKED;

--! known_skus
-- Which of these SKUs have a stock row, locked or not.
SELECT s.sku FROM stock s
WHERE s.sku = ANY(ARRAY(
    SELECT unnest(:skus::text[])
    UNION ALL
    SELECT l.sku FROM reservation_lines l
    WHERE l.reservation_id = ANY(:reservation_ids) AND l.state = 'HELD'));

--! insert_reservations (total_cents[?], currencies[?], refusal_reasons[?])
-- A row that another replica inserted since the snapshot is a unique violation on reservations_pkey: the whole batch is read again.
INSERT INTO reservations (reservation_id, order_id, state, total_cents, currency, lines, refusal_reason, shortages)
SELECT * FROM unnest(
    :reservation_ids::uuid[], :order_ids::bigint[], :states::text[], :total_cents::bigint[], :currencies::text[],
    :lines::jsonb[], :refusal_reasons::text[], :shortages::jsonb[])
RETURNING reservation_id;

--! move_reservations
UPDATE reservations r
SET state = m.state, updated_at = now()
FROM unnest(:reservation_ids::uuid[], :states::text[]) AS m (reservation_id, state)
WHERE r.reservation_id = m.reservation_id
RETURNING r.reservation_id;

--! insert_releases
INSERT INTO processed_releases (release_id, reservation_id, order_id)
SELECT * FROM unnest(:release_ids::uuid[], :reservation_ids::uuid[], :order_ids::bigint[])
RETURNING release_id;

--! move_stock
-- The rows are locked since lock_stock, so the order of the update does not matter.
UPDATE stock s
SET on_hand = s.on_hand + d.on_hand, reserved = s.reserved + d.reserved
FROM unnest(:skus::text[], :on_hand::bigint[], :reserved::bigint[]) AS d (sku, on_hand, reserved)
WHERE s.sku = d.sku
RETURNING s.sku;
