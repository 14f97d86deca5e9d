SELECT
    'pg_type'::regclass::oid AS class,
    oid AS object,
    0 AS part,
    oid::regtype::text AS relation,
    '' AS name,
    format_type(typbasetype, typtypmod) AS type,
    typnotnull AS not_null,
    coalesce(typdefault, '') AS expression
FROM pg_type
WHERE typnamespace = 'public'::regnamespace
  AND typtype = 'd'
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_type'::regclass AND objid = pg_type.oid AND deptype = 'e'
  )
