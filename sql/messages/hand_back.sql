-- Claimed and never tried: queued again, for whoever receives the reference next.
UPDATE message_logs AS message
SET status = 'QUEUED',
    lease_expires_at = NULL,
    lease_token = NULL,
    updated_at = now()
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[], %(tokens)b::uuid[])
    AS result (id, scheduled_send_time, token)
WHERE message.id = result.id
  AND message.scheduled_send_time = result.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND (message.status = 'SENDING') IS TRUE
  AND message.lease_token = result.token
