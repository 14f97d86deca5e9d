-- What waits for a person to decide, the longest first.
SELECT id, user_id, message_type, delivery_date, updated_at, error_message
FROM message_logs
WHERE status = 'RETRYING' AND next_attempt_at = 'infinity'
ORDER BY updated_at, id
LIMIT %(limit)s
