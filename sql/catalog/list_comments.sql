-- Class, object and part are those of what the comment is about; name is how COMMENT ON says it.
SELECT
    classoid AS class,
    objoid AS object,
    objsubid AS part,
    CASE identified.type
        WHEN 'table column' THEN 'COLUMN '
        WHEN 'table constraint' THEN 'CONSTRAINT '
        WHEN 'domain constraint' THEN 'CONSTRAINT '
        WHEN 'function' THEN 'ROUTINE '
        WHEN 'procedure' THEN 'ROUTINE '
        ELSE upper(identified.type) || ' '
    END
        || regexp_replace(
            regexp_replace(identified.identity, '\mpublic\.', '', 'g'),
            ' on ',
            CASE identified.type WHEN 'domain constraint' THEN ' ON DOMAIN ' ELSE ' ON ' END
        ) AS name,
    quote_literal(description) AS text
FROM pg_description
CROSS JOIN LATERAL pg_identify_object(classoid, objoid, objsubid) AS identified
WHERE classoid IN (
    'pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass,
    'pg_trigger'::regclass
)
  -- Below that everything is PostgreSQL's own.
  AND objoid >= 16384
