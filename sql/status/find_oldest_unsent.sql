-- When was the message due that has waited longest?
SELECT min(scheduled_send_time)
FROM message_logs
WHERE scheduled_send_time <= %(now)s
  AND status IN ('SCHEDULED', 'RETRYING', 'QUEUED', 'SENDING')
