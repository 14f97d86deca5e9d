-- Too late: past the limit that was set when it was planned, or older than what the dispatcher looks
-- at.
UPDATE message_logs
SET status = 'FAILED',
    lease_expires_at = NULL,
    error_message = concat_ws('; ', error_message, format(
        'expired: due at %%s and not sent by %%s, when it became too late',
        to_char(scheduled_send_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'),
        to_char(least(expires_at, %(now)s::timestamptz) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'))),
    updated_at = now()
WHERE scheduled_send_time <= %(now)s
  AND status IN ('SCHEDULED', 'RETRYING', 'QUEUED')
  AND (expires_at <= %(now)s OR scheduled_send_time <= %(since)s)
