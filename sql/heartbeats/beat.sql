-- Writes a process's row, by the database's clock. A process is as old as it was at its first beat.
INSERT INTO heartbeats AS known (
    id, kind, host, pid, version, started_at, stale_at, state, done, failed, rate
)
VALUES (
    %(id)s, %(kind)s, %(host)s, %(pid)s, %(version)s, now() - %(age)s::interval,
    now() + %(patience)s::interval, %(state)s, %(done)s, %(failed)s, %(rate)s
)
ON CONFLICT (id) DO UPDATE
SET pid = excluded.pid,
    version = excluded.version,
    started_at = CASE WHEN known.pid = excluded.pid THEN known.started_at
                      ELSE excluded.started_at END,
    last_beat_at = now(),
    stale_at = excluded.stale_at,
    state = excluded.state,
    done = excluded.done,
    failed = excluded.failed,
    rate = excluded.rate
