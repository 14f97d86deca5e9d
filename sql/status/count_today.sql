-- The messages of one day, by status.
SELECT status, count(*)
FROM message_logs
WHERE scheduled_send_time >= %(day_start)s
  AND scheduled_send_time < %(day_end)s
GROUP BY status
