-- How late were the messages of today (UTC) sent? For each bound, in seconds, how many by no more;
-- for infinity all, and the sum of their lateness. From a sample of large months.
WITH sample AS (
    SELECT least(100, 100 * 300000 / greatest(max(reltuples), 1))::real AS percent
    FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass('message_logs')
), sent AS (
    SELECT
        width_bucket(
            extract(epoch FROM actual_send_time - scheduled_send_time)::double precision,
            %(bounds)s::double precision[]
        ) AS bucket,
        count(*) * 100 / (SELECT percent FROM sample) AS messages,
        sum(extract(epoch FROM actual_send_time - scheduled_send_time)::double precision)
            * 100 / (SELECT percent FROM sample) AS lateness
    FROM message_logs TABLESAMPLE SYSTEM ((SELECT percent FROM sample)) REPEATABLE (0)
    WHERE scheduled_send_time >= %(day_start)s
      AND scheduled_send_time < %(day_end)s
      AND status = 'SENT'
    GROUP BY bucket
)
SELECT
    bound,
    coalesce(round(sum(messages)), 0),
    coalesce(sum(lateness), 0)
FROM unnest(%(bounds)s::double precision[] || 'infinity'::double precision)
    WITH ORDINALITY AS each (bound, number)
LEFT JOIN sent ON bucket < number
GROUP BY bound
ORDER BY bound
