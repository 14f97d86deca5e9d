-- Each index, over all months: size, scans, tuples read and fetched
SELECT
    coalesce(parent.relname, usage.indexrelname) AS index,
    sum(pg_relation_size(usage.indexrelid))::bigint AS size_bytes,
    sum(usage.idx_scan)::bigint AS scans,
    sum(usage.idx_tup_read)::bigint AS tuples_read,
    sum(usage.idx_tup_fetch)::bigint AS tuples_fetched
FROM pg_stat_user_indexes AS usage
LEFT JOIN pg_inherits ON pg_inherits.inhrelid = usage.indexrelid
LEFT JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent
WHERE usage.schemaname = 'public'
GROUP BY coalesce(parent.relname, usage.indexrelname)
ORDER BY scans DESC, index
