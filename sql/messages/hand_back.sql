-- Claimed and not sent: queued again, as if it had not been claimed.
UPDATE message_logs AS message
SET status = 'QUEUED', lease_expires_at = NULL, updated_at = now()
WHERE id = ANY (%(ids)s)
  AND scheduled_send_time = ANY (%(times)s)
  AND (status = 'SENDING') IS TRUE
