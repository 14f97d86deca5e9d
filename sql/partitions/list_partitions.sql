-- The partitions of a table, with their bounds as the catalog has them.
SELECT
    child.relname AS partition,
    substring(bound.text FROM 'FROM \(''([^'']+)''\)')::timestamptz AS starts_at,
    substring(bound.text FROM 'TO \(''([^'']+)''\)')::timestamptz AS ends_at,
    pg_inherits.inhdetachpending AS detach_pending
FROM pg_inherits
JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
CROSS JOIN LATERAL (SELECT pg_get_expr(child.relpartbound, child.oid) AS text) AS bound
WHERE pg_inherits.inhparent = to_regclass(%(parent)s)
ORDER BY starts_at
