SELECT
    'pg_class'::regclass::oid AS class,
    oid AS object,
    0 AS part,
    oid::regclass::text AS relation,
    '' AS name,
    CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' ELSE 'foreign table' END AS type,
    coalesce(pg_get_partkeydef(oid), '') AS partition_key,
    relpersistence = 'u' AS unlogged,
    relrowsecurity AS row_security,
    coalesce(array_to_string(reloptions, ', '), '') AS options
FROM ({relations}) AS relation
WHERE relkind IN ('r', 'p', 'f')
