-- Still at work on these: their claims last longer. What was taken away since is not given back.
UPDATE message_logs AS message
SET lease_expires_at = now() + %(lease)s
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[], %(tokens)b::uuid[])
    AS held (id, scheduled_send_time, token)
WHERE message.id = held.id
  AND message.scheduled_send_time = held.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND (message.status = 'SENDING') IS TRUE
  AND message.lease_token = held.token
RETURNING message.id
