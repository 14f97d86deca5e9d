SELECT
    'pg_proc'::regclass::oid AS class,
    oid AS object,
    0 AS part,
    oid::regprocedure::text AS relation,
    '' AS name,
    -- With another one of these, or of its name, it can't be replaced in place.
    pg_get_function_arguments(oid) AS arguments,
    coalesce(pg_get_function_result(oid), '') AS result,
    rtrim(regexp_replace(pg_get_functiondef(oid), '^(CREATE OR REPLACE \w+ )public\.', '\1'), E'\n')
        AS definition
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
  AND prokind IN ('f', 'p', 'w')
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
  )
