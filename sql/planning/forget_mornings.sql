-- Mornings that turned out to be at another instant.
DELETE FROM planned_mornings
WHERE message_type = {message_type}
  AND (delivery_date, scheduled_send_time) IN (
      SELECT * FROM unnest(%(delivery_dates)s::date[], %(scheduled_send_times)s::timestamptz[])
  )
