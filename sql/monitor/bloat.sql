-- Dead rows and wasted space (estimated from statistics), the 20 tables with the most
SELECT
    usage.relname AS table,
    usage.n_live_tup AS live_rows,
    usage.n_dead_tup AS dead_rows,
    (100 * usage.n_dead_tup / greatest(usage.n_live_tup + usage.n_dead_tup, 1)) AS dead_percent,
    pg_table_size(usage.relid) AS size_bytes,
    -- A row takes its columns, 23 bytes of header rounded up, and 4 of pointer.
    greatest(
        pg_relation_size(usage.relid) - (greatest(pg_class.reltuples, 0) * (28 + width.bytes))::bigint,
        0
    ) AS wasted_bytes,
    extract(epoch FROM now() - greatest(usage.last_vacuum, usage.last_autovacuum))::integer
        AS unvacuumed_seconds
FROM pg_stat_user_tables AS usage
JOIN pg_class ON pg_class.oid = usage.relid
CROSS JOIN LATERAL (
    SELECT coalesce(sum(avg_width * (1 - null_frac)), 0) AS bytes
    FROM pg_stats
    WHERE pg_stats.schemaname = usage.schemaname AND pg_stats.tablename = usage.relname
      AND NOT inherited
) AS width
WHERE usage.schemaname = 'public' AND pg_class.relkind = 'r'
ORDER BY dead_rows DESC, wasted_bytes DESC, usage.relname
LIMIT 20
