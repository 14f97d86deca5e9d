-- How many messages are planned for the next 24 hours? From a sample of large months.
WITH sample AS (
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
)
SELECT round(count(*) * 100 / (SELECT percent FROM sample))
FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
WHERE scheduled_send_time >= %(now)s
  AND scheduled_send_time < %(now)s::timestamptz + interval '24 hours'
  AND status = 'SCHEDULED'
