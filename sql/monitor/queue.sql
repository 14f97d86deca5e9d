-- What waits and is under way, as the rows say; what the broker says: `bdaysched queue status`
WITH waiting AS (
    SELECT
        CASE
            WHEN status = 'QUEUED' AND (lease_expires_at > now()) IS NOT TRUE THEN 2
            WHEN status = 'QUEUED' THEN 3
            WHEN status = 'SENDING' AND lease_expires_at > now() THEN 4
            WHEN status = 'SENDING' THEN 5
            WHEN next_attempt_at = 'infinity' THEN 8
            WHEN next_attempt_at > now() THEN 7
            ELSE 6
        END AS number,
        scheduled_send_time
    FROM message_logs
    WHERE status IN ('QUEUED', 'SENDING', 'RETRYING')
    UNION ALL
    -- Both ends, so that only the months in between are read; older ones are expired.
    SELECT 1, scheduled_send_time
    FROM message_logs
    WHERE status = 'SCHEDULED'
      AND scheduled_send_time > %(now)s::timestamptz - interval '3 days'
      AND scheduled_send_time <= %(now)s::timestamptz
)
SELECT what, count(scheduled_send_time) AS messages, min(scheduled_send_time) AS oldest_due
FROM (VALUES
    (1, 'due, not queued yet'), (2, 'queued, waiting'), (3, 'queued, in hand'), (4, 'sending'),
    (5, 'sending, lease over'), (6, 'retry due'), (7, 'retry later'), (8, 'held for a person')
) AS kind (number, what)
LEFT JOIN waiting USING (number)
GROUP BY number, what
ORDER BY number
