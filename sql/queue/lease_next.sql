-- The next rows that wait and that no consumer has in hand; they are the caller's until the lease
-- ends. In the order of the index on status: sorting by the send time would read the whole backlog
-- for every batch. The months are not narrowed down, because the program's clock may be ahead.
WITH next AS MATERIALIZED (
    SELECT id, scheduled_send_time
    FROM message_logs
    WHERE status = 'QUEUED'
      AND (lease_expires_at IS NULL OR lease_expires_at <= now())
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE message_logs AS message
SET lease_expires_at = now() + %(lease)s
FROM next
WHERE message.id = next.id
  AND message.scheduled_send_time = next.scheduled_send_time
RETURNING message.id, message.scheduled_send_time, message.lease_expires_at
