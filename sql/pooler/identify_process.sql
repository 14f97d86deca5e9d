-- Which server process is this? Numbers come again, on another host at the same time, so the start
-- goes with it.
SELECT pid, backend_start
FROM pg_stat_activity
WHERE pid = pg_backend_pid()
