-- Ends the leases of rows that are still queued, so that any consumer may have them.
UPDATE message_logs AS message
SET lease_expires_at = NULL
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[], %(leases)b::timestamptz[])
    AS held (id, scheduled_send_time, lease_expires_at)
WHERE message.id = held.id
  AND message.scheduled_send_time = held.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND message.lease_expires_at = held.lease_expires_at
  AND (message.status = 'QUEUED') IS TRUE
