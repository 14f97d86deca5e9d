-- A person knows that held messages were delivered; all of them, or those with an id. The attempt
-- that was in doubt is the one that delivered: it counts as such, no more as one that did not.
UPDATE message_logs
SET status = 'SENT',
    actual_send_time = coalesce(last_retry_at, updated_at),
    retry_count = greatest(retry_count - 1, 0),
    next_attempt_at = NULL,
    error_message = concat_ws('; ', error_message, 'recorded as sent by ' || %(by)s::text),
    attempts = coalesce(attempts, '[]') || jsonb_build_object(
        'ended_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'outcome', 'recorded as sent', 'code', NULL, 'error', NULL, 'by', %(by)s::text
    ),
    updated_at = now()
WHERE status = 'RETRYING'
  AND next_attempt_at = 'infinity'
  AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s::uuid[]))
RETURNING id
