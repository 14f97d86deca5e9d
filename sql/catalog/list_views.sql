SELECT
    'pg_class'::regclass::oid AS class,
    oid AS object,
    0 AS part,
    oid::regclass::text AS relation,
    '' AS name,
    CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END AS type,
    coalesce(array_to_string(reloptions, ', '), '') AS options,
    rtrim(pg_get_viewdef(oid, true), ';') AS definition
FROM ({relations}) AS relation
WHERE relkind IN ('v', 'm')
