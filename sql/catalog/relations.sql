-- Part of the other queries here: the relations that the schema is about. Out of sight are the
-- months that are made at run time, also once they are detached or restored beside (they are known by
-- the CHECK constraint that they were made with), what an extension brought, and the record of migrations.
SELECT pg_class.*
FROM pg_class
WHERE relnamespace = 'public'::regnamespace
  AND relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT relispartition
  AND relname NOT IN ('schema_migrations', 'schema_events')
  AND NOT EXISTS (
      SELECT FROM pg_constraint
      WHERE conrelid = pg_class.oid AND contype = 'c'
        AND relname ~ '_\d{4}_\d{2}(_restored)?$' AND conname = relname || '_month'
  )
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
  )
