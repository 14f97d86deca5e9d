-- Brings the messages of one type for some users in line with who these users are now, and with the
-- calendar: the instant, and with it the month that the row is kept in, and the wording. What is
-- under way already stays as it is.
UPDATE message_logs AS message
SET scheduled_send_time = calendar.scheduled_send_time,
    expires_at = calendar.expires_at,
    message_content = {message_content},
    updated_at = now()
FROM users
JOIN unnest(
    %(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[],
    %(scheduled_send_times)s::timestamptz[], %(expires_ats)s::timestamptz[]
) AS calendar (delivery_date, month_day, timezone, scheduled_send_time, expires_at)
    ON users.{date_column} = calendar.month_day AND users.timezone = calendar.timezone
WHERE users.id = ANY (%(user_ids)s)
  AND users.deleted_at IS NULL
  AND message.user_id = users.id
  AND message.message_type = {message_type}
  AND message.delivery_date = calendar.delivery_date
  AND message.scheduled_send_time >= %(since)s
  AND message.status = 'SCHEDULED'
  AND (message.scheduled_send_time, message.expires_at, message.message_content)
      IS DISTINCT FROM
      (calendar.scheduled_send_time, calendar.expires_at, {message_content})
