-- Indexes of tables that are no partitions, and that PostgreSQL does not use; what REINDEX has left
-- half-done is told from the rest. Those that are being built are left out, where this role sees them.
SELECT
    index.relname AS name,
    index.relname ~ '_cc(new|old)\d*$' AS is_left_over,
    index.relkind = 'I' AS is_partitioned
FROM pg_index
JOIN pg_class AS index ON index.oid = pg_index.indexrelid
JOIN pg_class AS owner ON owner.oid = pg_index.indrelid
WHERE index.relnamespace = 'public'::regnamespace
  AND NOT (pg_index.indisvalid AND pg_index.indisready)
  AND (NOT owner.relispartition OR index.relname ~ '_cc(new|old)\d*$')
  AND NOT EXISTS (
      SELECT FROM pg_stat_progress_create_index AS build WHERE build.index_relid = index.oid
  )
ORDER BY index.relname
