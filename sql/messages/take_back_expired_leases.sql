-- A worker died, or lost touch, while it had these in hand. Whether they were sent is unknown; the
-- delivery service tells by the idempotency key. Raising retry_count fences the old claim off.
UPDATE message_logs
SET status = CASE WHEN expires_at <= %(now)s OR retry_count + 1 >= %(max_attempts)s
                  THEN 'FAILED' ELSE 'RETRYING' END,
    retry_count = retry_count + 1,
    last_retry_at = now(),
    next_attempt_at = now(),
    lease_expires_at = NULL,
    error_message = 'a worker stopped during an attempt; whether it was delivered is unknown',
    updated_at = now()
WHERE status = 'SENDING'
  AND lease_expires_at <= now()
RETURNING status
