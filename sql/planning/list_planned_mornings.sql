-- What has been planned, and from what.
SELECT message_type, delivery_date, scheduled_send_time, digest
FROM planned_mornings
