-- Which object needs which, as far as the server knows. A default stands for its column, a rule for
-- its view, a row type for its table, an array for what it is of, an index for its constraint.
WITH stands_for (class, object, its_class, its_object, its_part) AS (
    SELECT 'pg_attrdef'::regclass::oid, oid, 'pg_class'::regclass::oid, adrelid, adnum::integer
    FROM pg_attrdef
    UNION ALL
    SELECT 'pg_rewrite'::regclass, oid, 'pg_class'::regclass, ev_class, 0 FROM pg_rewrite
    UNION ALL
    SELECT 'pg_type'::regclass, oid, 'pg_class'::regclass, typrelid, 0
    FROM pg_type WHERE typrelid <> 0
    UNION ALL
    SELECT 'pg_type'::regclass, typarray, 'pg_type'::regclass, oid, 0
    FROM pg_type WHERE typarray <> 0 AND typrelid = 0
    UNION ALL
    SELECT 'pg_class'::regclass, conindid, 'pg_constraint'::regclass, oid, 0
    FROM pg_constraint WHERE contype IN ('p', 'u', 'x')
)
SELECT DISTINCT
    coalesce(dependent.its_class, classid) AS class,
    coalesce(dependent.its_object, objid) AS object,
    coalesce(dependent.its_part, objsubid) AS part,
    coalesce(needed.its_class, refclassid) AS needed_class,
    coalesce(needed.its_object, refobjid) AS needed_object,
    coalesce(needed.its_part, refobjsubid) AS needed_part
FROM pg_depend
LEFT JOIN stands_for AS dependent ON dependent.class = classid AND dependent.object = objid
LEFT JOIN stands_for AS needed ON needed.class = refclassid AND needed.object = refobjid
WHERE deptype IN ('n', 'a', 'i')
  -- Below that everything is PostgreSQL's own.
  AND objid >= 16384
  AND refobjid >= 16384
