-- What anybody may do who can connect: make tables beside ours, or act with the owner's rights.
SELECT
    'everyone may make tables in the schema public' AS fault,
    'REVOKE CREATE ON SCHEMA public FROM PUBLIC' AS statement
FROM pg_namespace
CROSS JOIN LATERAL aclexplode(nspacl) AS granted
WHERE nspname = 'public' AND granted.grantee = 0 AND granted.privilege_type = 'CREATE'
UNION ALL
SELECT
    format('everyone may call %s, which has its owner''s rights', pg_proc.oid::regprocedure),
    format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', pg_proc.oid::regprocedure)
FROM pg_proc
CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) AS granted
WHERE pronamespace = 'public'::regnamespace
  AND prosecdef
  AND granted.grantee = 0
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
  )
UNION ALL
SELECT
    format('%s belongs to %I, and message_logs to %I', stranger.oid::regclass,
        pg_get_userbyid(stranger.relowner), pg_get_userbyid(ours.relowner)),
    format('ALTER TABLE %s OWNER TO %I', stranger.oid::regclass, pg_get_userbyid(ours.relowner))
FROM pg_class AS ours
JOIN pg_class AS stranger USING (relnamespace)
WHERE ours.oid = to_regclass('message_logs')
  AND stranger.relkind IN ('r', 'p')
  AND stranger.relowner <> ours.relowner
  AND NOT EXISTS (
      SELECT FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND objid = stranger.oid AND deptype = 'e'
  )
