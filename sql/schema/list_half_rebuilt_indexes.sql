-- What an interrupted REINDEX CONCURRENTLY leaves behind.
SELECT namespace.nspname, index.relname
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_namespace AS namespace ON namespace.oid = index.relnamespace
WHERE NOT indisvalid AND index.relkind = 'i' AND index.relname ~ '_cc(new|old)\d*$'
ORDER BY 1, 2
