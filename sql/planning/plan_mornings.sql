-- Inserts the messages of one type for everyone who celebrates on a local date of the calendar that
-- comes in: one line for each local date, celebrated month-day and zone, with its send instant. The
-- arithmetic of zones is the program's, so the server's time-zone data plays no part. Days that are
-- over are for those who were there.
--
-- OFFSET 0 keeps the guard a look-up of its own for each user: made into a join without statistics,
-- it compared all of a day with each other. In the order of users.id, which the foreign key and most
-- indexes share, many rows take a quarter less time.
INSERT INTO message_logs (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at,
    status, error_message
)
SELECT
    users.id, {message_type}, {message_content},
    calendar.delivery_date, calendar.scheduled_send_time, calendar.expires_at,
    %(status)s, %(error_message)s
FROM unnest(
    %(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[],
    %(scheduled_send_times)s::timestamptz[], %(expires_ats)s::timestamptz[],
    %(matter_untils)s::timestamptz[]
) AS calendar (delivery_date, month_day, timezone, scheduled_send_time, expires_at, matters_until)
JOIN users ON users.{date_column} = calendar.month_day AND users.timezone = calendar.timezone
WHERE users.deleted_at IS NULL
  AND (NOT %(are_over)s OR users.created_at < calendar.matters_until)
  AND users.{date_column} = ANY (%(month_days_in_use)s)
  AND users.timezone = ANY (%(timezones_in_use)s)
  AND NOT EXISTS (
      SELECT FROM message_guard AS guard
      WHERE guard.delivery_date = calendar.delivery_date
        AND guard.delivery_date = ANY (%(days_in_use)s)
        AND guard.user_id = users.id
        AND guard.message_type = {message_type}
      OFFSET 0
  )
ORDER BY users.id
