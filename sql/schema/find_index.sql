-- Schema, name and whether it is valid, of the index of that name on that table, both as they are
-- written in a statement.
SELECT namespace.nspname, index.relname, indisvalid
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_namespace AS namespace ON namespace.oid = index.relnamespace
WHERE indrelid = to_regclass(%(table)s)
  AND index.relname = (parse_ident(%(index)s))[1]
  AND index.relkind = 'i'
