-- Who waits for whose lock, and for how long; end a blocker with SELECT pg_terminate_backend(PID)
SELECT
    format('%%s %%s', waiting.pid, waiting.application_name) AS waiting,
    format('%%s %%s', blocking.pid, blocking.application_name) AS blocked_by,
    blocking.state AS blocker_is,
    extract(epoch FROM clock_timestamp() - coalesce(lock.waitstart, waiting.query_start))::integer
        AS waits_seconds,
    coalesce(lock.relation::regclass::text, lock.locktype) AS lock_on,
    left(regexp_replace(waiting.query, '\s+', ' ', 'g'), 60) AS statement
FROM pg_stat_activity AS waiting
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocker (pid)
LEFT JOIN pg_stat_activity AS blocking ON blocking.pid = blocker.pid
LEFT JOIN LATERAL (
    SELECT * FROM pg_locks WHERE pg_locks.pid = waiting.pid AND NOT granted LIMIT 1
) AS lock ON true
WHERE waiting.wait_event_type = 'Lock' AND waiting.datname = current_database()
ORDER BY waits_seconds DESC, waiting.pid
