--: ChargeRow(reason?)
--: RefundRow(reason?)

--! count_calls
-- Calls of flaky charges so far, this one included.
INSERT INTO provider_calls (idempotency_key, calls)
SELECT key, 1 FROM unnest(:keys::uuid[]) AS k (key) ORDER BY key
ON CONFLICT (idempotency_key) DO UPDATE SET calls = provider_calls.calls + 1
RETURNING idempotency_key, calls;

--! store_charges (reasons[?])
-- Stores new answers; a key that is known keeps the answer it has.
INSERT INTO provider_charges (idempotency_key, order_id, amount_cents, currency, payment_method, outcome, reason)
SELECT key, order_id, amount_cents, currency, payment_method, outcome, reason
FROM unnest(
    :keys::uuid[], :order_ids::bigint[], :amounts_cents::bigint[], :currencies::text[], :payment_methods::text[], :outcomes::text[],
    :reasons::text[]
) AS c (key, order_id, amount_cents, currency, payment_method, outcome, reason)
ORDER BY key
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING idempotency_key;

--! load_charges : ChargeRow
SELECT idempotency_key, order_id, amount_cents, currency, payment_method, outcome, reason
FROM provider_charges
WHERE idempotency_key = ANY(:keys);

--! load_refunds : RefundRow
-- Every refund attempt of these charges.
SELECT idempotency_key, charge_key, amount_cents, currency, outcome, reason
FROM provider_refunds
WHERE charge_key = ANY(:charge_keys);

--! store_refunds (reasons[?])
-- Stores new answers; a key that is known, or a charge that was given back meanwhile, is left as it is.
INSERT INTO provider_refunds (idempotency_key, charge_key, amount_cents, currency, outcome, reason)
SELECT key, charge_key, amount_cents, currency, outcome, reason
FROM unnest(
    :keys::uuid[], :charge_keys::uuid[], :amounts_cents::bigint[], :currencies::text[], :outcomes::text[], :reasons::text[]
) AS r (key, charge_key, amount_cents, currency, outcome, reason)
ORDER BY key
ON CONFLICT DO NOTHING
RETURNING idempotency_key;

--! prune_calls
-- Forgets up to `rows_max` counts of long ago.
DELETE FROM provider_calls
WHERE idempotency_key IN (
    SELECT idempotency_key FROM provider_calls
    WHERE created_at < now() - make_interval(secs => :retention_secs)
    ORDER BY created_at
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED)
RETURNING idempotency_key;
