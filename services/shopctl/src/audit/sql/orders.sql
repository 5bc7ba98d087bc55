-- Orders $1 <= id < $2 (and among $3, when given) with the extent of their timelines.
SELECT o.order_id, o.version, o.status, o.saga_state, o.details::text AS details, o.total_cents, o.currency,
       extract(epoch FROM now() - o.wake_at)::float8 AS overdue_secs,
       extract(epoch FROM now() - o.created_at)::float8 AS age_secs,
       coalesce(t.entries, 0) AS timeline_rows, coalesce(t.newest, 0) AS timeline_version,
       t.settled_by_hand
FROM orders o
LEFT JOIN (
    SELECT order_id, count(*) AS entries, max(version) AS newest,
           max(cause) FILTER (WHERE cause LIKE 'Operator % settled the order by hand: %') AS settled_by_hand
    FROM order_timeline
    WHERE order_id >= $1 AND order_id < $2 AND ($3::bigint[] IS NULL OR order_id = ANY($3))
    GROUP BY order_id) t USING (order_id)
WHERE o.order_id >= $1 AND o.order_id < $2 AND ($3::bigint[] IS NULL OR o.order_id = ANY($3))
