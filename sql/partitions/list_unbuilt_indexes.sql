-- Indexes that were made ON ONLY a partitioned table, with the partitions that have no part of them
-- yet. is_valid is null where there is nothing by the part's name, false where its build was
-- interrupted.
SELECT
    parents.indexrelid::regclass::text AS index,
    part.name AS part,
    its.indisvalid AS is_valid,
    format(
        'CREATE %sINDEX CONCURRENTLY %I ON %I.%I ',
        CASE WHEN parents.indisunique THEN 'UNIQUE ' ELSE '' END, part.name, nspname, leaf.relname
    ) || substring(pg_get_indexdef(parents.indexrelid) FROM length(head.text) + 1) AS statement
FROM pg_index AS parents
JOIN pg_class AS index ON index.oid = parents.indexrelid AND index.relkind = 'I'
JOIN pg_class AS parent ON parent.oid = parents.indrelid
JOIN pg_namespace ON pg_namespace.oid = parent.relnamespace
JOIN pg_inherits ON inhparent = parents.indrelid AND NOT inhdetachpending
JOIN pg_class AS leaf
    ON leaf.oid = inhrelid AND leaf.relkind = 'r' AND leaf.relnamespace = parent.relnamespace
CROSS JOIN LATERAL (
    SELECT format(
        'CREATE %sINDEX %I ON ONLY %I.%I ',
        CASE WHEN parents.indisunique THEN 'UNIQUE ' ELSE '' END, index.relname, nspname,
        parent.relname
    )
) AS head (text)
CROSS JOIN LATERAL (SELECT leaf.relname || '_' || index.relname) AS whole (name)
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN octet_length(whole.name) < 64 THEN whole.name
        ELSE left(whole.name, 54) || '_' || left(md5(whole.name), 8)
    END
) AS part (name)
LEFT JOIN pg_class AS found ON found.relname = part.name AND found.relnamespace = leaf.relnamespace
LEFT JOIN pg_index AS its ON its.indexrelid = found.oid AND its.indrelid = leaf.oid
WHERE NOT parents.indisvalid
  AND nspname = 'public'
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = parents.indexrelid)
  AND NOT EXISTS (
      SELECT
      FROM pg_inherits AS attached
      JOIN pg_index AS there ON there.indexrelid = attached.inhrelid
      WHERE attached.inhparent = parents.indexrelid AND there.indrelid = leaf.oid
  )
ORDER BY index, leaf.relname
