-- Of results that found no row to write: which were written before, by the same claim, in a
-- statement whose answer was lost?
SELECT message.id
FROM message_logs AS message
JOIN unnest(%(ids)b::uuid[], %(times)b::timestamptz[], %(tokens)b::uuid[])
    AS result (id, scheduled_send_time, token)
    ON message.id = result.id
    AND message.scheduled_send_time = result.scheduled_send_time
    AND message.lease_token = result.token
WHERE message.scheduled_send_time = ANY (%(times)b)
  AND message.status IN ('SENT', 'FAILED', 'RETRYING')
