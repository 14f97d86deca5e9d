INSERT INTO planned_mornings (message_type, delivery_date, scheduled_send_time, digest)
SELECT {message_type}, *
FROM unnest(%(delivery_dates)s::date[], %(scheduled_send_times)s::timestamptz[], %(digests)s::text[])
ON CONFLICT ON CONSTRAINT planned_mornings_pkey
DO UPDATE SET digest = excluded.digest, planned_at = now()
