-- Those of constraints are the constraints' own.
SELECT
    'pg_class'::regclass::oid AS class,
    indexrelid AS object,
    0 AS part,
    indrelid::regclass::text AS relation,
    indexrelid::regclass::text AS name,
    regexp_replace(pg_get_indexdef(indexrelid, 0, true), ' ON ONLY ', ' ON ') AS definition,
    indisvalid AND indisready AS valid
FROM pg_index
JOIN ({relations}) AS relation ON relation.oid = indrelid
WHERE NOT EXISTS (
    SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x')
)
