-- Sample messages of days gone by, for those days that have no message yet.
INSERT INTO message_logs (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at,
    status, actual_send_time, retry_count, api_response_code, error_message
)
SELECT
    past.user_id, past.message_type, past.message_content, past.delivery_date,
    past.scheduled_send_time, past.expires_at, past.status,
    CASE WHEN past.status = 'SENT' THEN past.scheduled_send_time + interval '2 seconds' END,
    CASE WHEN past.status = 'FAILED' THEN 7 ELSE 0 END,
    CASE WHEN past.status = 'SENT' THEN 200 ELSE 503 END,
    CASE WHEN past.status = 'FAILED' THEN 'the delivery service was unavailable (sample)' END
FROM unnest(
    %(user_ids)s::uuid[], %(message_types)s::text[], %(contents)s::text[],
    %(delivery_dates)s::date[], %(scheduled_send_times)s::timestamptz[],
    %(expires_ats)s::timestamptz[], %(statuses)s::text[]
) AS past (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at, status
)
JOIN users ON users.id = past.user_id
WHERE NOT EXISTS (
    SELECT FROM message_guard AS guard
    WHERE guard.delivery_date = past.delivery_date
      AND guard.user_id = past.user_id
      AND guard.message_type = past.message_type
)
