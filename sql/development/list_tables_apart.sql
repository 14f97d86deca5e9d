-- Tables of ours that no migration makes: the record, and months that belong to no table any more,
-- which are known by the CHECK constraint that they were made with.
SELECT oid::regclass::text
FROM pg_class
WHERE relnamespace = 'public'::regnamespace
  AND relkind = 'r'
  AND NOT relispartition
  AND (
      relname IN ('schema_migrations', 'schema_events')
      OR relname ~ '^message_(logs|guard)_\d{4}_\d{2}$'
         AND EXISTS (
             SELECT FROM pg_constraint
             WHERE conrelid = pg_class.oid AND contype = 'c' AND conname = relname || '_month'
         )
  )
ORDER BY 1
