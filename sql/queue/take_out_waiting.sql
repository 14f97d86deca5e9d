-- Empties the queue: what waits is to be dispatched again. What a consumer has in hand stays.
UPDATE message_logs
SET status = CASE WHEN retry_count > 0 THEN 'RETRYING' ELSE 'SCHEDULED' END,
    lease_expires_at = NULL,
    updated_at = now()
WHERE status = 'QUEUED'
  AND (lease_expires_at IS NULL OR lease_expires_at <= now())
