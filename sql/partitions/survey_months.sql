-- Every table that holds, or held, a month of message_logs: its bounds, its size, and what the last
-- ANALYZE knew of its rows. Detached months are known by the CHECK that they were made with. As the
-- planner does, rows are reckoned from the pages of now; null where nothing is known of them.
SELECT
    month.relname AS partition,
    CASE
        WHEN bound.text IS NULL THEN to_date(right(month.relname, 7), 'YYYY_MM')::timestamptz
        ELSE substring(bound.text FROM 'FROM \(''([^'']+)''\)')::timestamptz
    END AS starts_at,
    bound.text IS NOT NULL AS is_attached,
    coalesce(pg_inherits.inhdetachpending, false) AS is_detach_pending,
    CASE
        WHEN size.pages = 0 THEN 0
        WHEN month.reltuples >= 0 AND month.relpages > 0
            THEN round(month.reltuples / month.relpages * size.pages)::bigint
    END AS estimated_rows,
    pg_total_relation_size(month.oid) AS total_bytes,
    pg_stats.most_common_vals::text::text[] AS statuses,
    pg_stats.most_common_freqs AS shares
FROM pg_class AS month
LEFT JOIN pg_inherits
    ON pg_inherits.inhrelid = month.oid AND pg_inherits.inhparent = 'message_logs'::regclass
LEFT JOIN pg_stats
    ON pg_stats.schemaname = month.relnamespace::regnamespace::text
    AND pg_stats.tablename = month.relname
    AND pg_stats.attname = 'status'
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_inherits.inhrelid IS NOT NULL THEN pg_get_expr(month.relpartbound, month.oid) END
) AS bound (text)
CROSS JOIN LATERAL (
    SELECT pg_relation_size(month.oid) / current_setting('block_size')::integer
) AS size (pages)
WHERE pg_inherits.inhrelid IS NOT NULL
   OR (
       month.relname ~ '^message_logs_\d{4}_\d{2}$'
       AND month.relkind = 'r'
       AND month.relnamespace = 'public'::regnamespace
       AND NOT month.relispartition
       AND EXISTS (
           SELECT
           FROM pg_constraint
           WHERE conrelid = month.oid AND conname = month.relname || '_month' AND contype = 'c'
       )
   )
ORDER BY starts_at
