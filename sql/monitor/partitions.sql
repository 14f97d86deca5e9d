-- Each month of message_logs: bounds, rows (estimated, as last analysed) and size
SELECT
    child.relname AS partition,
    substring(bound.text FROM 'FROM \(''([^'']+)''\)')::timestamptz AS from_instant,
    substring(bound.text FROM 'TO \(''([^'']+)''\)')::timestamptz AS to_instant,
    greatest(child.reltuples, 0)::bigint AS rows,
    pg_total_relation_size(child.oid) AS total_bytes,
    CASE WHEN pg_inherits.inhdetachpending THEN 'detach pending' ELSE 'attached' END AS state
FROM pg_inherits
JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
CROSS JOIN LATERAL (SELECT pg_get_expr(child.relpartbound, child.oid) AS text) AS bound
WHERE pg_inherits.inhparent = to_regclass('message_logs')
ORDER BY from_instant
