-- Due, and its user was deleted since it was planned: not to be sent any more.
UPDATE message_logs AS message
SET status = 'FAILED',
    error_message = concat_ws('; ', message.error_message, 'withdrawn: the user was deleted'),
    updated_at = now()
FROM users
WHERE message.scheduled_send_time > %(since)s
  AND message.scheduled_send_time <= %(now)s
  AND message.status IN ('SCHEDULED', 'RETRYING')
  AND users.id = message.user_id
  AND users.deleted_at IS NOT NULL
