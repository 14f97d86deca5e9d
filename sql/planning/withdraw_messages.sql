-- Removes the messages of one type that some users are not to get after all: they were deleted, or
-- do not celebrate on that date any more. Only those not under way, whose place in the guard becomes
-- free again.
DELETE FROM message_logs AS message
USING users
WHERE users.id = ANY (%(user_ids)s)
  AND message.user_id = users.id
  AND message.message_type = {message_type}
  AND message.scheduled_send_time >= %(since)s
  AND message.status = 'SCHEDULED'
  AND NOT EXISTS (
      SELECT FROM unnest(
          %(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[]
      ) AS calendar (delivery_date, month_day, timezone)
      WHERE calendar.delivery_date = message.delivery_date
        AND calendar.month_day = users.{date_column}
        AND calendar.timezone = users.timezone
        AND users.deleted_at IS NULL
  )
