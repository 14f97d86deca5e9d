-- A day's messages by instant of sending, zone and status. Of a month that has more than 300,000 rows
-- about as many are read for SCHEDULED and SENT; those under way, and the failed ones, are counted.
WITH sample AS (
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
), found AS (
    SELECT user_id, scheduled_send_time, status, 1 AS stands_for
    FROM message_logs
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status IN ('QUEUED', 'SENDING', 'RETRYING', 'FAILED')
    UNION ALL
    SELECT user_id, scheduled_send_time, status, 100 / (SELECT percent FROM sample)
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status IN ('SCHEDULED', 'SENT')
)
SELECT scheduled_send_time, timezone, status, round(sum(stands_for))::bigint AS messages
FROM found
JOIN users ON users.id = found.user_id
GROUP BY scheduled_send_time, timezone, status
ORDER BY scheduled_send_time, timezone, status
