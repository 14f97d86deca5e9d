-- A person lets held messages be tried again, with the same key; all of them, or those with an id.
UPDATE message_logs
SET next_attempt_at = now(),
    error_message = concat_ws('; ', error_message, 'tried again by ' || %(by)s::text),
    attempts = coalesce(attempts, '[]') || jsonb_build_object(
        'ended_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'outcome', 'released', 'code', NULL, 'error', NULL, 'by', %(by)s::text
    ),
    updated_at = now()
WHERE status = 'RETRYING'
  AND next_attempt_at = 'infinity'
  AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s::uuid[]))
RETURNING id
