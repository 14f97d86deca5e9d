-- In the order of the table, which is theirs in sql/schema.sql and counts for nothing else.
SELECT
    'pg_class'::regclass::oid AS class,
    attrelid AS object,
    attnum::integer AS part,
    attrelid::regclass::text AS relation,
    quote_ident(attname) AS name,
    replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz') AS type,
    CASE WHEN attcollation <> typcollation THEN attcollation::regcollation::text ELSE '' END
        AS collation,
    attnotnull AS not_null,
    attgenerated::text AS generated,
    attidentity::text AS identity,
    coalesce(pg_get_expr(adbin, adrelid, true), '') AS expression
FROM ({relations}) AS relation
JOIN pg_attribute ON attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
JOIN pg_type ON pg_type.oid = atttypid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind IN ('r', 'p', 'f')
ORDER BY attrelid, attnum
