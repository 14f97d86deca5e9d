-- What this role may not do of what sql/roles.sql gives the program; or a worker, if it is one of those
-- and nothing more.
WITH kind AS (
    SELECT coalesce(
        pg_has_role(to_regrole('bdaysched_worker'), 'USAGE')
        AND NOT coalesce(pg_has_role(to_regrole('bdaysched_program'), 'USAGE'), false), false
    ) AS is_worker
), needed AS (
    SELECT name, privilege, false AS by_worker
    FROM unnest('{users, message_logs, planned_mornings, changed_users, queue_pause, heartbeats}'::text[])
        AS written (name)
    CROSS JOIN unnest('{SELECT, INSERT, UPDATE, DELETE}'::text[]) AS privilege
    UNION ALL
    VALUES
        ('message_guard', 'SELECT', false), ('message_guard', 'DELETE', false),
        ('time_zones', 'SELECT', false), ('schema_migrations', 'SELECT', false),
        ('schema_events', 'SELECT', false), ('partition_events', 'SELECT', false),
        ('message_logs', 'SELECT', true), ('message_logs', 'UPDATE', true),
        ('queue_pause', 'SELECT', true), ('heartbeats', 'SELECT', true),
        ('heartbeats', 'INSERT', true), ('heartbeats', 'UPDATE', true),
        ('heartbeats', 'DELETE', true)
)
SELECT name, string_agg(privilege, ', ') AS privileges
FROM needed
JOIN kind ON is_worker = by_worker
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), privilege)
GROUP BY name
ORDER BY name
