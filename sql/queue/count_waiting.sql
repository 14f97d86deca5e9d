-- How many rows wait in the queue, in nobody's hands?
SELECT count(*)
FROM message_logs
WHERE status = 'QUEUED'
  AND (lease_expires_at IS NULL OR lease_expires_at <= now())
