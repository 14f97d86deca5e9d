-- When was everyone planned who gets a message of one type at an instant, for a local date?
SELECT planned_at
FROM planned_mornings
WHERE message_type = %(message_type)s
  AND delivery_date = %(delivery_date)s
  AND scheduled_send_time = %(scheduled_send_time)s
