-- How late what was due in the last 24 hours was sent; estimated from a sample of large months
WITH sample AS (
    -- Of a month that has more than 300,000 rows, about as many are read.
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
), bucket AS (
    SELECT number, late_by, up_to
    FROM (VALUES
        (1, 'up to 1 s', 1), (2, '1 to 5 s', 5), (3, '5 to 15 s', 15), (4, '15 to 60 s', 60),
        (5, '1 to 5 min', 300), (6, '5 to 15 min', 900), (7, '15 to 60 min', 3600),
        (8, '1 to 4 h', 14400), (9, 'more than 4 h', NULL)
    ) AS each (number, late_by, up_to)
), sent AS (
    SELECT
        (SELECT min(number) FROM bucket
         WHERE extract(epoch FROM actual_send_time - scheduled_send_time) <= up_to
            OR up_to IS NULL) AS number,
        round(count(*) * 100 / (SELECT percent FROM sample))::bigint AS messages
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time > %(now)s::timestamptz - interval '24 hours'
      AND scheduled_send_time <= %(now)s::timestamptz
      AND status = 'SENT'
    GROUP BY 1
)
SELECT
    late_by,
    coalesce(messages, 0) AS messages,
    round(100.0 * coalesce(messages, 0) / nullif(sum(messages) OVER (), 0), 2)::double precision
        AS percent,
    round(100.0 * coalesce(sum(messages) OVER (ORDER BY number), 0)
        / nullif(sum(messages) OVER (), 0), 2)::double precision AS percent_so_far,
    CASE WHEN (SELECT percent FROM sample) < 100 THEN 'estimated' ELSE 'counted' END AS how
FROM bucket
LEFT JOIN sent USING (number)
ORDER BY number
