-- Queued rows that no consumer can make anything of fail for good.
UPDATE message_logs
SET status = 'FAILED',
    lease_expires_at = NULL,
    error_message = %(reason)s,
    updated_at = now()
WHERE id = ANY (%(ids)s)
  AND scheduled_send_time = ANY (%(times)s)
  AND lease_expires_at = ANY (%(leases)s)
  AND (status = 'QUEUED') IS TRUE
