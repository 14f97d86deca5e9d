-- A row that a worker has already claimed is left as it is.
UPDATE message_logs
SET status = 'QUEUED', lease_expires_at = NULL, updated_at = now()
WHERE id = ANY (%(ids)s)
  AND scheduled_send_time = ANY (%(times)s)
  AND (status IN ('SCHEDULED', 'RETRYING')) IS TRUE
