-- What the program has no words for, so that it is told rather than overlooked.
SELECT
    class,
    object,
    0 AS part,
    '' AS relation,
    pg_describe_object(class, object, 0) AS name
FROM (
    SELECT 'pg_class'::regclass::oid AS class, oid AS object
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('S', 'c')
    UNION ALL
    SELECT 'pg_type'::regclass, oid
    FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'r')
    UNION ALL
    SELECT 'pg_proc'::regclass, oid
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'a'
    UNION ALL
    SELECT 'pg_policy'::regclass, pg_policy.oid
    FROM pg_policy JOIN ({relations}) AS relation ON relation.oid = polrelid
    UNION ALL
    SELECT 'pg_rewrite'::regclass, pg_rewrite.oid
    FROM pg_rewrite JOIN ({relations}) AS relation ON relation.oid = ev_class
    WHERE rulename <> '_RETURN'
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, oid
    FROM pg_statistic_ext WHERE stxnamespace = 'public'::regnamespace
) AS other
-- An extension's own; and the sequence of an identity column, which is the column's.
WHERE NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = class AND objid = object AND deptype IN ('e', 'i')
)
