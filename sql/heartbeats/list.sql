-- Every worker and scheduler, the stale ones first.
SELECT
    kind, host, pid, version, started_at, last_beat_at, stale_at < now() AS stale,
    extract(epoch FROM now() - last_beat_at)::double precision AS silent_for, state, done, failed, rate
FROM heartbeats
ORDER BY stale DESC, kind DESC, started_at DESC, host, pid
