-- Ends a pause, and says whether it was not over yet.
WITH ended AS (
    DELETE FROM queue_pause
    RETURNING paused_by, paused_at, paused_until, reason
)
SELECT paused_by, paused_at, nullif(paused_until, 'infinity'), reason
FROM ended
WHERE paused_until > now()
