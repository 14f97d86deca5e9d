-- Who would get a message of one type on the lines of a calendar, whether it is planned yet or not.
SELECT
    calendar.delivery_date, calendar.scheduled_send_time, users.timezone, users.email,
    {message_content} AS message
FROM unnest(
    %(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[],
    %(scheduled_send_times)s::timestamptz[], %(expires_ats)s::timestamptz[]
) AS calendar (delivery_date, month_day, timezone, scheduled_send_time, expires_at)
JOIN users ON users.{date_column} = calendar.month_day AND users.timezone = calendar.timezone
WHERE users.deleted_at IS NULL
  AND (%(user_id)s::uuid IS NULL OR users.id = %(user_id)s)
ORDER BY calendar.scheduled_send_time, users.email
