-- The columns of a table, in its order, as an archive's manifest names them.
SELECT attname, format_type(atttypid, atttypmod), attgenerated <> ''
FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
