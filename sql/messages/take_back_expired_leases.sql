-- A worker died, or lost touch, while it had these in hand. Whether they were sent is unknown; the
-- delivery service tells by the idempotency key, or a person does. Without its token the old claim
-- can write nothing any more.
UPDATE message_logs
SET status = CASE WHEN expires_at <= %(now)s THEN 'FAILED'
                  WHEN %(hold)s THEN 'RETRYING'
                  WHEN retry_count + 1 >= %(max_attempts)s THEN 'FAILED'
                  ELSE 'RETRYING' END,
    retry_count = retry_count + 1,
    last_retry_at = now(),
    next_attempt_at = CASE WHEN %(hold)s THEN 'infinity' ELSE now() END,
    lease_expires_at = NULL,
    lease_token = NULL,
    error_message = 'a worker stopped during an attempt; whether it was delivered is unknown',
    attempts = coalesce(attempts, '[]') || jsonb_build_object(
        'ended_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'outcome', 'ambiguous',
        'code', NULL,
        'error', 'the worker stopped, or lost touch, before it recorded a result'
    ),
    updated_at = now()
WHERE status = 'SENDING'
  AND lease_expires_at <= now()
RETURNING status
