-- In which states are the rows behind these references?
SELECT id, scheduled_send_time, status
FROM message_logs
WHERE id = ANY (%(ids)s) AND scheduled_send_time = ANY (%(times)s)
