-- When was the message due that has waited longest, and is not meant to wait? With both ends of the
-- send time for those that are many: only the months in between are read, and older ones are expired.
SELECT min(due)
FROM (
    SELECT min(scheduled_send_time) AS due
    FROM message_logs
    WHERE status = 'SCHEDULED'
      AND scheduled_send_time > %(now)s::timestamptz - interval '3 days'
      AND scheduled_send_time <= %(now)s
    UNION ALL
    SELECT min(scheduled_send_time)
    FROM message_logs
    WHERE status IN ('QUEUED', 'SENDING')
      AND scheduled_send_time <= %(now)s
    UNION ALL
    SELECT min(scheduled_send_time)
    FROM message_logs
    WHERE status = 'RETRYING'
      AND scheduled_send_time <= %(now)s
      AND (next_attempt_at IS NULL OR next_attempt_at <= now())
) AS waiting
