-- Which other session keeps what is done to months from its locks? One whose open transaction has used
-- the tables comes first, since others only matter to a detachment, which waits for old snapshots.
SELECT activity.pid, activity.application_name, activity.xact_start, used.tables
FROM pg_stat_activity AS activity
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT regexp_replace(relname, '_\d{4}_\d{2}$', '')) AS tables
    FROM pg_locks
    JOIN pg_class ON pg_class.oid = pg_locks.relation
    WHERE pg_locks.pid = activity.pid
      AND pg_locks.granted
      AND pg_locks.database = activity.datid
      AND relkind IN ('r', 'p')
      AND (relname = 'users' OR relname ~ '^message_(logs|guard)')
) AS used
WHERE activity.datname = current_database()
  AND activity.pid <> pg_backend_pid()
  AND activity.backend_type = 'client backend'
  AND (used.tables IS NOT NULL OR activity.backend_xmin IS NOT NULL)
ORDER BY used.tables IS NULL, activity.xact_start
LIMIT 1
