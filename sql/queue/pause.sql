-- Keeps the workers from delivering, for a time or until it is taken back; whoever comes last counts.
INSERT INTO queue_pause (paused_until, paused_by, reason)
VALUES (coalesce(now() + %(time)s::interval, 'infinity'), %(by)s, %(reason)s)
ON CONFLICT ON CONSTRAINT queue_pause_pkey DO UPDATE
SET paused_until = excluded.paused_until,
    paused_at = excluded.paused_at,
    paused_by = excluded.paused_by,
    reason = excluded.reason
RETURNING paused_by, paused_at, nullif(paused_until, 'infinity'), reason
