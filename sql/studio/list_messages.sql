-- The messages of a span of time that fit a filter, in the order of sending, after the last one of the
-- page before. A filter that is NULL lets every message through.
SELECT
    page.id, page.user_id, users.first_name, users.last_name, users.email, users.timezone,
    page.message_type, page.delivery_date, page.scheduled_send_time, page.status, page.retry_count,
    page.actual_send_time, page.error_message,
    page.status = 'FAILED' AND page.expires_at > %(now)s AND users.deleted_at IS NULL AS may_be_retried
FROM (
    SELECT *
    FROM message_logs
    WHERE scheduled_send_time >= %(since)s
      AND scheduled_send_time < %(until)s
      AND (%(after_time)s::timestamptz IS NULL
           OR (scheduled_send_time, id) > (%(after_time)s, %(after_id)s::uuid))
      AND (%(status)s::text IS NULL OR status = %(status)s)
      AND (%(message_type)s::text IS NULL OR message_type = %(message_type)s)
    ORDER BY scheduled_send_time, id
    LIMIT %(limit)s
) AS page
JOIN users ON users.id = page.user_id
ORDER BY page.scheduled_send_time, page.id
