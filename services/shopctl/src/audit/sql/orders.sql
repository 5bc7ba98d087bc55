-- Orders $1 <= id < $2 (and among $3, when given) with the extent of their timelines. That an order was settled by hand its timeline
-- says, in the words of the saga or of those before V0003; who did it and why is in the record of acts.
SELECT o.order_id, o.version, o.status, o.saga_state, o.details::text AS details, o.total_cents, o.currency,
       extract(epoch FROM now() - o.wake_at)::float8 AS overdue_secs,
       extract(epoch FROM now() - o.created_at)::float8 AS age_secs,
       coalesce(t.entries, 0) AS timeline_rows, coalesce(t.newest, 0) AS timeline_version,
       coalesce(a.who_and_why, t.settled_by_hand) AS settled_by_hand
FROM orders o
LEFT JOIN (
    SELECT order_id, count(*) AS entries, max(version) AS newest,
           max(cause) FILTER (WHERE cause = 'An operator settled the order by hand.'
                                 OR cause LIKE 'Operator % settled the order by hand: %') AS settled_by_hand
    FROM order_timeline
    WHERE order_id >= $1 AND order_id < $2 AND ($3::bigint[] IS NULL OR order_id = ANY($3))
    GROUP BY order_id) t USING (order_id)
LEFT JOIN LATERAL (
    SELECT format('%s: %s', who, why) AS who_and_why
    FROM operator_actions
    WHERE t.settled_by_hand IS NOT NULL
      AND target = o.order_id::text AND action = 'saga.resolve' AND outcome <> 'REFUSED'
    ORDER BY created_at DESC
    LIMIT 1) a ON true
WHERE o.order_id >= $1 AND o.order_id < $2 AND ($3::bigint[] IS NULL OR o.order_id = ANY($3))
