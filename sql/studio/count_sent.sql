-- How many of a day's messages were sent in each quarter of an hour, and how late? From a sample of
-- large months. With whether it is one, also when nothing was sent.
WITH sample AS (
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
), sent AS (
    SELECT
        date_bin('15 minutes', actual_send_time, %(day_start)s) AS quarter,
        round(count(*) * 100 / (SELECT percent FROM sample))::bigint AS messages,
        max(extract(epoch FROM actual_send_time - scheduled_send_time))::double precision AS worst
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status = 'SENT'
    GROUP BY 1
)
SELECT percent < 100, quarter, messages, worst
FROM sample
LEFT JOIN sent ON true
ORDER BY quarter
