-- The locks that another session has or waits for: on relations of users, by their names; anything
-- else only if it is waited for. An index is named where its table is not locked as strongly.
SELECT relation::regclass::text, mode, granted
FROM pg_locks AS held
JOIN pg_class ON pg_class.oid = relation
WHERE pid = %(pid)s
  AND locktype = 'relation'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relnamespace <> ALL ('{pg_catalog, pg_toast, information_schema}'::regnamespace[])
  AND (
      relkind NOT IN ('i', 'I')
      OR mode = 'AccessExclusiveLock' AND NOT EXISTS (
          SELECT FROM pg_index
          JOIN pg_locks AS on_table ON on_table.relation = indrelid
          WHERE indexrelid = pg_class.oid AND on_table.pid = held.pid
            AND on_table.mode = held.mode
      )
  )
UNION ALL
SELECT NULL, mode, granted
FROM pg_locks
WHERE pid = %(pid)s AND locktype <> 'relation' AND NOT granted
