--: Product()

--! list_products : Product
-- One page in the order of the SKUs, after `after_sku` ('' for the first).
SELECT p.sku, p.name, p.unit_price_cents, p.currency, s.on_hand - s.reserved AS available
FROM products p
JOIN stock s USING (sku)
WHERE p.sku > :after_sku COLLATE "C"
ORDER BY p.sku
LIMIT :rows_max;

--! get_product : Product
SELECT p.sku, p.name, p.unit_price_cents, p.currency, s.on_hand - s.reserved AS available
FROM products p
JOIN stock s USING (sku)
WHERE p.sku = :sku;
