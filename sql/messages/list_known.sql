-- Which of these references have a row?
SELECT id
FROM message_logs
WHERE id = ANY (%(ids)s) AND scheduled_send_time = ANY (%(times)s)
