-- Indexes that a partition lacks, and those that it has and PostgreSQL does not use.
SELECT leaf.inhrelid::regclass::text AS leaf, parents.indexrelid::regclass::text AS name,
    'missing' AS fault
FROM pg_inherits AS leaf
JOIN ({relations}) AS relation ON relation.oid = leaf.inhparent AND relkind = 'p'
JOIN pg_index AS parents ON parents.indrelid = leaf.inhparent
WHERE NOT leaf.inhdetachpending
  AND NOT EXISTS (
      SELECT
      FROM pg_inherits AS attached
      JOIN pg_index AS its ON its.indexrelid = attached.inhrelid
      WHERE attached.inhparent = parents.indexrelid AND its.indrelid = leaf.inhrelid
  )
UNION ALL
SELECT leaf.inhrelid::regclass::text, its.indexrelid::regclass::text, 'invalid'
FROM pg_inherits AS leaf
JOIN ({relations}) AS relation ON relation.oid = leaf.inhparent AND relkind = 'p'
JOIN pg_index AS its ON its.indrelid = leaf.inhrelid AND NOT (its.indisvalid AND its.indisready)
WHERE NOT leaf.inhdetachpending
ORDER BY 1, 2
