-- Every stock row with the sums it has to agree with.
SELECT s.sku, s.initial, s.on_hand, s.reserved,
       coalesce(a.adjusted, 0)::bigint AS adjusted,
       coalesce(l.held, 0)::bigint AS held,
       coalesce(l.committed, 0)::bigint AS committed
FROM stock s
LEFT JOIN (SELECT sku, sum(quantity) AS adjusted FROM stock_adjustments GROUP BY sku) a USING (sku)
LEFT JOIN (
    SELECT sku, sum(quantity) FILTER (WHERE state = 'HELD') AS held, sum(quantity) FILTER (WHERE state = 'COMMITTED') AS committed
    FROM reservation_lines WHERE state IN ('HELD', 'COMMITTED') GROUP BY sku) l USING (sku)
