-- How many messages of today (UTC) are there in each status? SCHEDULED and SENT from a sample of
-- large months: of one that has more than 300,000 rows, about as many are read.
WITH sample AS (
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
), counted AS (
    SELECT status, count(*)::double precision AS messages
    FROM message_logs
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status IN ('QUEUED', 'SENDING', 'RETRYING', 'FAILED')
    GROUP BY status
    UNION ALL
    SELECT status, round(count(*) * 100 / (SELECT percent FROM sample))
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status IN ('SCHEDULED', 'SENT')
    GROUP BY status
)
SELECT lower(status), coalesce(messages, 0)
FROM unnest(ARRAY['SCHEDULED', 'QUEUED', 'SENDING', 'RETRYING', 'SENT', 'FAILED']) AS status
LEFT JOIN counted USING (status)
