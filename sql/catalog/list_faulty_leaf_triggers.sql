-- A partition has the triggers of its table, by their names: PostgreSQL copies those FOR EACH ROW,
-- and the program those FOR EACH STATEMENT.
SELECT leaf.inhrelid::regclass::text AS leaf, quote_ident(parents.tgname) AS name,
    CASE
        WHEN its.oid IS NULL THEN 'missing'
        WHEN its.tgenabled <> parents.tgenabled THEN 'not ' || CASE parents.tgenabled
            WHEN 'D' THEN 'disabled' WHEN 'O' THEN 'enabled' WHEN 'R' THEN 'enabled replica'
            ELSE 'enabled always' END
        ELSE 'another one'
    END AS fault
FROM pg_inherits AS leaf
JOIN ({relations}) AS relation ON relation.oid = leaf.inhparent AND relkind = 'p'
JOIN pg_trigger AS parents ON parents.tgrelid = leaf.inhparent AND NOT parents.tgisinternal
LEFT JOIN pg_trigger AS its ON its.tgrelid = leaf.inhrelid AND its.tgname = parents.tgname
WHERE NOT leaf.inhdetachpending
  AND (
      its.tgenabled IS DISTINCT FROM parents.tgenabled
      OR replace(
          pg_get_triggerdef(its.oid, true),
          format(' ON %s ', leaf.inhrelid::regclass), format(' ON %s ', leaf.inhparent::regclass)
      ) <> pg_get_triggerdef(parents.oid, true)
  )
ORDER BY 1, 2
