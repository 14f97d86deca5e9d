-- Messages that do not move, those due longest first; see monitor/stuck, which counts them.
SELECT
    page.what, page.remedy, page.id, page.user_id, users.first_name, users.last_name, users.email,
    users.timezone, page.message_type, page.delivery_date, page.scheduled_send_time, page.status,
    page.error_message
FROM (
    SELECT
        *,
        CASE status
            WHEN 'QUEUED' THEN 'queued, and lost?'
            WHEN 'SENDING' THEN 'sending, lease over'
            WHEN 'RETRYING' THEN
                CASE next_attempt_at WHEN 'infinity' THEN 'held for a person' ELSE 'retry due 5 min' END
            ELSE 'due 5 min, not queued'
        END AS what,
        CASE
            WHEN next_attempt_at = 'infinity' THEN 'bdaysched queue replay --held'
            WHEN status = 'QUEUED' THEN 'bdaysched monitor workers'
            ELSE 'bdaysched schedule'
        END AS remedy
    FROM (
        SELECT *
        FROM message_logs
        WHERE status = 'QUEUED'
          AND (lease_expires_at > now()) IS NOT TRUE
          AND updated_at <= now() - make_interval(secs => %(recover_queued_after)s)
        UNION ALL
        SELECT * FROM message_logs WHERE status = 'SENDING' AND (lease_expires_at > now()) IS NOT TRUE
        UNION ALL
        SELECT *
        FROM message_logs
        WHERE status = 'RETRYING'
          AND (next_attempt_at = 'infinity' OR next_attempt_at <= now() - interval '5 minutes')
        UNION ALL
        -- Both ends, so that only the months in between are read; older ones are expired.
        SELECT *
        FROM message_logs
        WHERE status = 'SCHEDULED'
          AND scheduled_send_time > %(now)s::timestamptz - interval '3 days'
          AND scheduled_send_time <= %(now)s::timestamptz - interval '5 minutes'
    ) AS stuck
    ORDER BY scheduled_send_time, id
    LIMIT %(limit)s
) AS page
JOIN users ON users.id = page.user_id
ORDER BY page.scheduled_send_time, page.id
