-- Messages that do not move: how many, since when, and what brings them on
WITH waiting AS (
    SELECT status, scheduled_send_time, updated_at, next_attempt_at, lease_expires_at
    FROM message_logs
    WHERE status IN ('QUEUED', 'SENDING', 'RETRYING')
    UNION ALL
    -- Both ends, so that only the months in between are read; older ones are expired.
    SELECT status, scheduled_send_time, updated_at, next_attempt_at, lease_expires_at
    FROM message_logs
    WHERE status = 'SCHEDULED'
      AND scheduled_send_time > %(now)s::timestamptz - interval '3 days'
      AND scheduled_send_time <= %(now)s::timestamptz - interval '5 minutes'
), sorted AS (
    SELECT
        CASE
            WHEN status = 'SCHEDULED' THEN 1
            WHEN status = 'RETRYING' AND next_attempt_at = 'infinity' THEN 5
            WHEN status = 'RETRYING' AND next_attempt_at <= now() - interval '5 minutes' THEN 2
            WHEN status = 'QUEUED' AND (lease_expires_at > now()) IS NOT TRUE
                AND updated_at <= now() - make_interval(secs => %(recover_queued_after)s) THEN 3
            WHEN status = 'SENDING' AND (lease_expires_at > now()) IS NOT TRUE THEN 4
        END AS number,
        scheduled_send_time
    FROM waiting
)
SELECT
    what,
    count(scheduled_send_time) AS messages,
    min(scheduled_send_time) AS oldest_due,
    remedy
FROM (VALUES
    (1, 'due 5 min, not queued', 'bdaysched schedule'),
    (2, 'retry due 5 min', 'bdaysched schedule'),
    (3, 'queued, and lost?', 'bdaysched monitor workers'),
    (4, 'sending, lease over', 'bdaysched schedule'),
    (5, 'held for a person', 'bdaysched queue dead')
) AS kind (number, what, remedy)
LEFT JOIN sorted USING (number)
GROUP BY number, what, remedy
ORDER BY number
