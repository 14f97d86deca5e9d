-- From PostgreSQL 18 on (17, of domains) NOT NULL is here too, by a name of its own: a property of
-- the column everywhere in this program, except for one that was never validated.
SELECT
    'pg_constraint'::regclass::oid AS class,
    pg_constraint.oid AS object,
    0 AS part,
    CASE conrelid WHEN 0 THEN contypid::regtype::text ELSE conrelid::regclass::text END AS relation,
    quote_ident(conname) AS name,
    contype::text AS type,
    pg_get_constraintdef(pg_constraint.oid, true) AS definition,
    coalesce(indisvalid, true) AS valid
FROM pg_constraint
LEFT JOIN ({relations}) AS relation ON relation.oid = conrelid
LEFT JOIN pg_type ON pg_type.oid = contypid
LEFT JOIN pg_index ON indexrelid = conindid AND contype IN ('p', 'u', 'x')
WHERE (relation.oid IS NOT NULL OR typnamespace = 'public'::regnamespace)
  AND conparentid = 0
  AND contype <> 't'
  AND (contype <> 'n' OR NOT convalidated)
