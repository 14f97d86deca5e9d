-- Writes the results of a batch. The token of the claim fences off whoever held a row before: one
-- that was taken away since has another, or none, and is not touched.
UPDATE message_logs AS message
SET status = result.status,
    actual_send_time = result.actual_send_time,
    retry_count = CASE WHEN result.status = 'RETRYING'
                       THEN message.retry_count + 1 ELSE message.retry_count END,
    last_retry_at = CASE WHEN message.retry_count > 0 THEN now() ELSE message.last_retry_at END,
    next_attempt_at = CASE WHEN result.is_held THEN 'infinity' ELSE now() + result.pause END,
    lease_expires_at = NULL,
    api_response_code = result.code,
    api_response_body = result.body,
    error_message = result.error,
    attempts = CASE WHEN result.attempt IS NULL THEN message.attempts
                    ELSE coalesce(message.attempts, '[]') || result.attempt::jsonb END,
    updated_at = now()
FROM unnest(
    %(ids)b::uuid[], %(times)b::timestamptz[], %(tokens)b::uuid[], %(statuses)b::text[],
    %(sent_at)b::timestamptz[], %(pauses)b::interval[], %(held)b::boolean[], %(codes)b::integer[],
    %(bodies)b::text[], %(errors)b::text[], %(attempts)b::text[]
) AS result (
    id, scheduled_send_time, token, status, actual_send_time, pause, is_held, code, body, error,
    attempt
)
WHERE message.id = result.id
  AND message.scheduled_send_time = result.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND (message.status = 'SENDING') IS TRUE
  AND message.lease_token = result.token
RETURNING message.id
