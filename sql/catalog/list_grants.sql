-- What roles other than the owner may do. Class, object and part are those of what it is about.
-- Everybody may execute a function unless that was revoked, so it is the revoking that counts; and
-- use the schema.
WITH granted (class, object, relation, target, grantee, privilege) AS (
    SELECT 'pg_class'::regclass::oid, oid, oid::regclass::text, 'TABLE ' || oid::regclass::text,
        acl.grantee, acl.privilege_type
    FROM ({relations}) AS relation, aclexplode(relacl) AS acl
    WHERE acl.grantee <> relowner
    UNION ALL
    SELECT 'pg_class'::regclass, relation.oid, relation.oid::regclass::text,
        'TABLE ' || relation.oid::regclass::text, acl.grantee,
        format('%s (%I)', acl.privilege_type, attname)
    FROM ({relations}) AS relation
    JOIN pg_attribute ON attrelid = relation.oid AND NOT attisdropped,
        aclexplode(attacl) AS acl
    WHERE acl.grantee <> relowner
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, oid::regprocedure::text, 'ROUTINE ' || oid::regprocedure::text,
        acl.grantee, acl.privilege_type
    FROM pg_proc, aclexplode(proacl) AS acl
    WHERE pronamespace = 'public'::regnamespace AND acl.grantee NOT IN (0, proowner)
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, oid::regprocedure::text, 'ROUTINE ' || oid::regprocedure::text,
        0, 'none'
    FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proacl IS NOT NULL
      AND NOT EXISTS (SELECT FROM aclexplode(proacl) AS acl WHERE acl.grantee = 0)
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 'public', 'SCHEMA public', acl.grantee, acl.privilege_type
    FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS acl
    WHERE nspname = 'public' AND acl.grantee <> nspowner
      AND (acl.grantee, acl.privilege_type) <> (0, 'USAGE')
)
SELECT
    class,
    object,
    0 AS part,
    relation,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS name,
    target,
    string_agg(privilege, ', ' ORDER BY privilege COLLATE "C") AS privileges
FROM granted
GROUP BY class, object, relation, target, grantee
