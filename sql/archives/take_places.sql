-- The guard has kept the places of a month that was dropped; where one is free, it is taken again.
INSERT INTO message_guard (delivery_date, user_id, message_type)
SELECT delivery_date, user_id, message_type
FROM {partition}
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
