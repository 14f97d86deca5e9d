-- The next due messages after a position, in the order in which they are due. Both ends of the
-- send time are given, so that only the months in between are read.
SELECT id, scheduled_send_time
FROM message_logs
WHERE scheduled_send_time > %(since)s
  AND scheduled_send_time <= %(now)s
  AND (scheduled_send_time, id) > (%(after_time)s, %(after_id)s)
  AND status IN ('SCHEDULED', 'RETRYING')
  AND expires_at > %(now)s
  AND (next_attempt_at IS NULL OR next_attempt_at <= now())
ORDER BY scheduled_send_time, id
LIMIT %(limit)s
