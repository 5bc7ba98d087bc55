-- Customers read the timeline: who acted by hand, and why, stands in operator_actions alone. Each recorded act leads to the timeline of
-- its order by the primary key, and only a cause that is made of just this act's words is rewritten.
WITH act AS MATERIALIZED (
    SELECT DISTINCT target::bigint AS order_id, format('Operator %s ', who) AS who, format(': %s', why) AS why
    FROM operator_actions
    WHERE action IN ('saga.retry', 'saga.compensate', 'saga.resolve')
), told AS MATERIALIZED (
    SELECT t.order_id, t.version,
           CASE t.cause
               WHEN a.who || 'retried' || a.why THEN 'An operator asked again.'
               WHEN a.who || 'gave the order back' || a.why THEN 'An operator gave the order back.'
               WHEN a.who || 'settled the order by hand' || a.why THEN 'An operator settled the order by hand.'
           END AS cause
    FROM act a
    JOIN order_timeline t USING (order_id)
)
UPDATE order_timeline t
SET cause = told.cause
FROM told
WHERE t.order_id = told.order_id AND t.version = told.version AND told.cause IS NOT NULL;
