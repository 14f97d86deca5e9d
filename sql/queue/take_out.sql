-- Takes rows out of the queue that nobody claimed: they are to be dispatched again if they are still
-- due. The lease tells the consumer that holds a row from one that held it before.
UPDATE message_logs AS message
SET status = CASE WHEN message.retry_count > 0 THEN 'RETRYING' ELSE 'SCHEDULED' END,
    lease_expires_at = NULL,
    updated_at = now()
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[], %(leases)b::timestamptz[])
    AS held (id, scheduled_send_time, lease_expires_at)
WHERE message.id = held.id
  AND message.scheduled_send_time = held.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND message.lease_expires_at = held.lease_expires_at
  AND (message.status = 'QUEUED') IS TRUE
