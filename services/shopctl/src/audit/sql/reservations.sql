-- Reservations of orders $1 <= id < $2 (and among $3, when given) with the number of their releases.
SELECT r.order_id, r.state, r.total_cents, r.currency, coalesce(p.releases, 0) AS releases
FROM reservations r
LEFT JOIN (
    SELECT reservation_id, count(*) AS releases FROM processed_releases
    WHERE order_id >= $1 AND order_id < $2 AND ($3::bigint[] IS NULL OR order_id = ANY($3))
    GROUP BY reservation_id) p USING (reservation_id)
WHERE r.order_id >= $1 AND r.order_id < $2 AND ($3::bigint[] IS NULL OR r.order_id = ANY($3))
