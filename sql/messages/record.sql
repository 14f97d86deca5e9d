-- Writes the results of a batch. The claim's retry_count is its fencing token: a row that was taken
-- away from this worker since has a higher one, and is not touched.
UPDATE message_logs AS message
SET status = result.status,
    actual_send_time = result.actual_send_time,
    retry_count = CASE WHEN result.status = 'RETRYING'
                       THEN message.retry_count + 1 ELSE message.retry_count END,
    last_retry_at = CASE WHEN message.retry_count > 0 THEN now() ELSE message.last_retry_at END,
    next_attempt_at = now() + result.pause,
    lease_expires_at = NULL,
    api_response_code = result.code,
    api_response_body = result.body,
    error_message = result.error,
    updated_at = now()
FROM unnest(
    %(ids)s::uuid[], %(times)s::timestamptz[], %(fences)s::integer[], %(statuses)s::text[],
    %(sent_at)s::timestamptz[], %(pauses)s::interval[], %(codes)s::integer[], %(bodies)s::text[],
    %(errors)s::text[]
) AS result (id, scheduled_send_time, fence, status, actual_send_time, pause, code, body, error)
WHERE message.id = result.id
  AND message.scheduled_send_time = result.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)s)
  AND (message.status = 'SENDING') IS TRUE
  AND message.retry_count = result.fence
RETURNING message.id
