-- Ends the leases of rows that are still queued, so that any consumer may have them.
UPDATE message_logs
SET lease_expires_at = NULL
WHERE id = ANY (%(ids)s)
  AND scheduled_send_time = ANY (%(times)s)
  AND lease_expires_at = ANY (%(leases)s)
  AND (status = 'QUEUED') IS TRUE
