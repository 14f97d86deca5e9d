-- Removes the messages of one type that some users are not to get after all: they were deleted, or
-- do not celebrate on that date any more. Only those not under way, whose place in the guard becomes
-- free again. OFFSET 0 and IS TRUE are for a server without statistics: see correct_messages.sql.
DELETE FROM message_logs AS message
USING unnest(%(user_ids)s::uuid[]) AS changed (user_id)
CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = changed.user_id OFFSET 0) AS users
WHERE message.user_id = changed.user_id
  AND (message.message_type = {message_type}) IS TRUE
  AND message.scheduled_send_time >= %(since)s
  AND (message.status = 'SCHEDULED') IS TRUE
  AND (
      users.deleted_at IS NULL
      AND (message.delivery_date, users.{date_column}::text, users.timezone) IN (
          SELECT *
          FROM unnest(%(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[])
      )
  ) IS NOT TRUE
