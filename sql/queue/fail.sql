-- Queued rows that no consumer can make anything of fail for good.
UPDATE message_logs AS message
SET status = 'FAILED',
    lease_expires_at = NULL,
    error_message = %(reason)s,
    updated_at = now()
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[], %(leases)b::timestamptz[])
    AS held (id, scheduled_send_time, lease_expires_at)
WHERE message.id = held.id
  AND message.scheduled_send_time = held.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND message.lease_expires_at = held.lease_expires_at
  AND (message.status = 'QUEUED') IS TRUE
