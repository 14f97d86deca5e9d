-- How late the messages of a day were sent, in seconds; read from a sample of large months.
WITH sample AS (
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
)
SELECT
    percentile_disc(0.5) WITHIN GROUP (ORDER BY lateness),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY lateness),
    max(lateness),
    (SELECT percent < 100 FROM sample)
FROM (
    SELECT
        extract(epoch FROM actual_send_time - scheduled_send_time)::double precision AS lateness
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status = 'SENT'
) AS sent
