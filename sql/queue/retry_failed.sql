-- A person lets failed messages be tried again, that may still be sent; all of them, or those with an
-- id. They get all attempts anew: what was wrong is mended, and what they met before was not theirs.
UPDATE message_logs AS message
SET status = 'RETRYING',
    retry_count = 0,
    next_attempt_at = now(),
    error_message = concat_ws('; ', message.error_message, 'tried again by ' || %(by)s::text),
    attempts = coalesce(message.attempts, '[]') || jsonb_build_object(
        'ended_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'outcome', 'tried again', 'code', NULL, 'error', NULL, 'by', %(by)s::text
    ),
    updated_at = now()
FROM users
WHERE message.status = 'FAILED'
  AND message.scheduled_send_time > %(since)s
  AND message.expires_at > %(now)s
  AND users.id = message.user_id
  AND users.deleted_at IS NULL
  AND (%(ids)s::uuid[] IS NULL OR message.id = ANY (%(ids)s::uuid[]))
RETURNING message.id
