-- The instants at which something is due, in order, after one and up to another.
SELECT DISTINCT scheduled_send_time
FROM message_logs
WHERE scheduled_send_time > %(since)s
  AND scheduled_send_time <= %(until)s
  AND status = 'SCHEDULED'
ORDER BY scheduled_send_time
