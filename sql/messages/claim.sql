-- Compare and set: of all who ask for a row, one gets it. SCHEDULED is claimable too, because a
-- reference can be faster than the dispatcher's record of having queued it; so is what this very
-- claim has taken already, when its answer was lost on the way. The user is looked up in subqueries,
-- which leave only one way to go: from the ids to the rows, and from these to the users.
UPDATE message_logs AS message
SET status = 'SENDING',
    lease_token = %(token)b,
    lease_expires_at = now() + %(lease)s,
    updated_at = now()
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[]) AS wanted (id, scheduled_send_time)
WHERE message.id = wanted.id
  AND message.scheduled_send_time = wanted.scheduled_send_time
  AND message.scheduled_send_time = ANY (%(times)b)
  AND (message.status IN ('SCHEDULED', 'QUEUED', 'RETRYING')
       OR (message.status = 'SENDING' AND message.lease_token = %(token)b)) IS TRUE
  AND (message.next_attempt_at IS NULL OR message.next_attempt_at <= now())
  AND message.expires_at > %(now)s
  AND (SELECT deleted_at IS NULL AND timezone <> ALL (%(quiet_zones)s)
       FROM users WHERE users.id = message.user_id)
RETURNING
    message.id, message.scheduled_send_time, message.user_id,
    (SELECT email FROM users WHERE users.id = message.user_id), message.message_type,
    message.message_content, message.delivery_date, message.idempotency_key,
    nullif(message.expires_at, 'infinity'), message.retry_count
