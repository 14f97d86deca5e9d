-- Messages that were planned just now: from then on they have the simulation's time for it.
UPDATE message_logs
SET created_at = %(now)s
WHERE created_at BETWEEN %(since)s AND clock_timestamp()
