-- Which messages does a user have, and what is known of them? Latest first.
SELECT
    id, message_type, delivery_date, scheduled_send_time,
    nullif(expires_at, 'infinity') AS expires_at, status, message_content, idempotency_key,
    tableoid::regclass::text AS partition, created_at, updated_at, retry_count,
    last_retry_at, nullif(next_attempt_at, 'infinity') AS next_attempt_at, lease_expires_at,
    coalesce(lease_expires_at <= now(), false) AS lease_is_over,
    actual_send_time, api_response_code, api_response_body, error_message,
    coalesce(status = 'RETRYING' AND next_attempt_at = 'infinity', false) AS is_held,
    coalesce(attempts, '[]') AS attempts
FROM message_logs
WHERE user_id = %(user_id)s
ORDER BY scheduled_send_time DESC, message_type
