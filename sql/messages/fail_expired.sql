-- Too late: the day of the message is over where its user lives, or it is older than what the
-- dispatcher looks at.
UPDATE message_logs
SET status = 'FAILED',
    lease_expires_at = NULL,
    error_message = concat_ws('; ', error_message, format(
        'expired: not sent by %%s', CASE WHEN expires_at <= %(now)s
            THEN 'the end of the user''s day, ' || to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')
            ELSE to_char(%(now)s::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') END)),
    updated_at = now()
WHERE scheduled_send_time <= %(now)s
  AND status IN ('SCHEDULED', 'RETRYING', 'QUEUED')
  AND (expires_at <= %(now)s OR scheduled_send_time <= %(since)s)
