-- Takes rows out of the queue that nobody claimed: they are to be dispatched again if they are still
-- due. The lease tells the consumer that holds a row from one that held it before.
UPDATE message_logs
SET status = CASE WHEN retry_count > 0 THEN 'RETRYING' ELSE 'SCHEDULED' END,
    lease_expires_at = NULL,
    updated_at = now()
WHERE id = ANY (%(ids)s)
  AND scheduled_send_time = ANY (%(times)s)
  AND lease_expires_at = ANY (%(leases)s)
  AND (status = 'QUEUED') IS TRUE
