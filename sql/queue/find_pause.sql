-- Does an operator keep the workers from delivering now? Every worker asks this every second.
SELECT paused_by, paused_at, nullif(paused_until, 'infinity'), reason
FROM queue_pause
WHERE paused_until > now()
