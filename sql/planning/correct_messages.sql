-- Brings the messages of one type for some users in line with who these users are now, and with the
-- calendar: the instant, and with it the month that the row is kept in, and the wording. What is
-- under way already stays as it is.
--
-- Without statistics the server joins whole days, and that for each user. So the users come first, by
-- key (OFFSET 0), with their lines (MATERIALIZED), and IS TRUE leaves of the messages' indexes only
-- the one by user.
WITH wanted AS MATERIALIZED (
    SELECT
        users.id AS user_id, {message_content} AS message_content,
        calendar.delivery_date, calendar.scheduled_send_time, calendar.expires_at
    FROM unnest(%(user_ids)s::uuid[]) AS changed (user_id)
    CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = changed.user_id OFFSET 0) AS users
    JOIN unnest(
        %(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[],
        %(scheduled_send_times)s::timestamptz[], %(expires_ats)s::timestamptz[]
    ) AS calendar (delivery_date, month_day, timezone, scheduled_send_time, expires_at)
        ON users.{date_column} = calendar.month_day AND users.timezone = calendar.timezone
    WHERE users.deleted_at IS NULL
)
UPDATE message_logs AS message
SET scheduled_send_time = wanted.scheduled_send_time,
    expires_at = wanted.expires_at,
    message_content = wanted.message_content,
    updated_at = now()
FROM wanted
WHERE message.user_id = wanted.user_id
  AND message.delivery_date = wanted.delivery_date
  AND (message.message_type = {message_type}) IS TRUE
  AND message.scheduled_send_time >= %(since)s
  AND (message.status = 'SCHEDULED') IS TRUE
  AND (message.scheduled_send_time, message.expires_at, message.message_content)
      IS DISTINCT FROM
      (wanted.scheduled_send_time, wanted.expires_at, wanted.message_content)
