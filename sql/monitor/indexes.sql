-- Each index of our tables: size, how often it was scanned, tuples read and fetched
SELECT
    coalesce(parent.relname, usage.relname) AS table,
    usage.indexrelname AS index,
    pg_relation_size(usage.indexrelid) AS size_bytes,
    usage.idx_scan AS scans,
    usage.idx_tup_read AS tuples_read,
    usage.idx_tup_fetch AS tuples_fetched
FROM pg_stat_user_indexes AS usage
LEFT JOIN pg_inherits ON pg_inherits.inhrelid = usage.relid
LEFT JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent
WHERE coalesce(parent.relname, usage.relname) IN (
    'users', 'message_logs', 'message_guard', 'time_zones', 'schema_migrations'
)
ORDER BY 1, scans DESC, index
