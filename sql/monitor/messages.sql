-- Messages by day (UTC) and status; SCHEDULED and SENT are estimated from a sample of large months
WITH bounds AS (
    SELECT
        date_trunc('day', %(now)s::timestamptz, 'UTC') - interval '6 days' AS first,
        date_trunc('day', %(now)s::timestamptz, 'UTC') + interval '2 days' AS past_last
), sample AS (
    -- Of a month that has more than 300,000 rows, about as many are read.
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
), counted AS (
    SELECT date_trunc('day', scheduled_send_time, 'UTC') AS day, status, count(*) AS messages
    FROM message_logs
    WHERE scheduled_send_time >= (SELECT first FROM bounds)
      AND scheduled_send_time < (SELECT past_last FROM bounds)
      AND status IN ('QUEUED', 'SENDING', 'RETRYING', 'FAILED')
    GROUP BY 1, 2
    UNION ALL
    SELECT
        date_trunc('day', scheduled_send_time, 'UTC'), status,
        round(count(*) * 100 / (SELECT percent FROM sample))
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time >= (SELECT first FROM bounds)
      AND scheduled_send_time < (SELECT past_last FROM bounds)
      AND status IN ('SCHEDULED', 'SENT')
    GROUP BY 1, 2
)
SELECT
    day::date AS day,
    coalesce(sum(messages) FILTER (WHERE status = 'SCHEDULED'), 0)::bigint AS scheduled,
    coalesce(sum(messages) FILTER (WHERE status = 'QUEUED'), 0)::bigint AS queued,
    coalesce(sum(messages) FILTER (WHERE status = 'SENDING'), 0)::bigint AS sending,
    coalesce(sum(messages) FILTER (WHERE status = 'RETRYING'), 0)::bigint AS retrying,
    coalesce(sum(messages) FILTER (WHERE status = 'SENT'), 0)::bigint AS sent,
    coalesce(sum(messages) FILTER (WHERE status = 'FAILED'), 0)::bigint AS failed,
    CASE WHEN (SELECT percent FROM sample) < 100 THEN 'estimated' ELSE 'counted' END AS how
FROM bounds
CROSS JOIN generate_series(first, past_last - interval '1 day', interval '1 day') AS day
LEFT JOIN counted USING (day)
GROUP BY day
ORDER BY day
