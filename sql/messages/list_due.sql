-- The next due messages after a position, in the order in which they are due, without those whose
-- users have quiet hours now. Both ends of the send time are given, so that only the months in
-- between are read.
SELECT message.id, message.scheduled_send_time
FROM message_logs AS message
JOIN users ON users.id = message.user_id
WHERE message.scheduled_send_time > %(since)s
  AND message.scheduled_send_time <= %(now)s
  AND (message.scheduled_send_time, message.id) > (%(after_time)s, %(after_id)s)
  AND message.status IN ('SCHEDULED', 'RETRYING')
  AND message.expires_at > %(now)s
  AND (message.next_attempt_at IS NULL OR message.next_attempt_at <= now())
  AND users.timezone <> ALL (%(quiet_zones)s)
ORDER BY message.scheduled_send_time, message.id
LIMIT %(limit)s
