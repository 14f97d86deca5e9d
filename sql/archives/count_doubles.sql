-- How many rows of a restored month are for a user, type and date that a message of now is for, too?
-- A local date and its morning are never further apart than a day or two.
SELECT count(*)
FROM {partition} AS restored
JOIN message_logs AS present ON present.idempotency_key = restored.idempotency_key
WHERE present.scheduled_send_time >= {starts_at}::timestamptz - interval '3 days'
  AND present.scheduled_send_time < {ends_at}::timestamptz + interval '3 days'
