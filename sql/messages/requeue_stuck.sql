-- Queued for so long that their references must have been lost: to be published again.
UPDATE message_logs
SET status = CASE WHEN retry_count > 0 THEN 'RETRYING' ELSE 'SCHEDULED' END,
    lease_expires_at = NULL,
    updated_at = now()
WHERE status = 'QUEUED'
  AND (lease_expires_at IS NULL OR lease_expires_at <= now())
  AND updated_at <= now() - %(age)s
