SELECT
    'pg_trigger'::regclass::oid AS class,
    pg_trigger.oid AS object,
    0 AS part,
    tgrelid::regclass::text AS relation,
    quote_ident(tgname) AS name,
    pg_get_triggerdef(pg_trigger.oid, true) AS definition,
    CASE tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'enabled replica'
        ELSE 'enabled always' END AS state
FROM pg_trigger
JOIN ({relations}) AS relation ON relation.oid = tgrelid
WHERE NOT tgisinternal
  AND tgparentid = 0
