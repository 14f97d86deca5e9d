-- What the program's roles may do: docs/roles.md. `migrate` and `create-partitions` run this at their
-- end, as the owner of the tables; a role that the server does not have is left out. Everything that a
-- role has had before is taken first, so that it has what stands here and nothing else.
DO $$
DECLARE
    month regclass;
BEGIN
    -- They act with their owner's rights. A trigger fires whoever may call its function; to put one on
    -- a table of one's own needs that right.
    REVOKE EXECUTE ON FUNCTION
        take_message_guard(), release_message_guard(), note_added_users(), note_changed_users()
        FROM PUBLIC;

    -- Every command of a working day.
    IF to_regrole('bdaysched_program') IS NOT NULL THEN
        REVOKE ALL ON
            users, time_zones, message_logs, message_guard, planned_mornings, changed_users,
            queue_pause, heartbeats, schema_migrations, schema_events, partition_events
            FROM bdaysched_program;
        GRANT SELECT, INSERT, UPDATE, DELETE ON
            users, message_logs, planned_mornings, changed_users, queue_pause, heartbeats
            TO bdaysched_program;
        -- The guard is filled by its triggers only; `users erase` makes its places free.
        GRANT SELECT, DELETE ON message_guard TO bdaysched_program;
        GRANT SELECT ON time_zones, schema_migrations, schema_events, partition_events
            TO bdaysched_program;
        -- Months are reached through their table, but for those that were detached: `users erase`
        -- looks there, too.
        FOR month IN
            SELECT oid
            FROM pg_class
            WHERE relname ~ '^message_logs_\d{4}_\d{2}$'
              AND relnamespace = 'public'::regnamespace
              AND relkind = 'r'
        LOOP
            EXECUTE format('GRANT SELECT, DELETE ON %s TO bdaysched_program', month);
        END LOOP;
    END IF;

    -- `run-worker`, and nothing else: it neither adds nor deletes anything but its heartbeat, and sees of
    -- users what it needs for sending.
    IF to_regrole('bdaysched_worker') IS NOT NULL THEN
        REVOKE ALL ON
            users, time_zones, message_logs, message_guard, planned_mornings, changed_users,
            queue_pause, heartbeats, schema_migrations, schema_events, partition_events
            FROM bdaysched_worker;
        GRANT SELECT, UPDATE ON message_logs TO bdaysched_worker;
        GRANT SELECT (id, email, timezone, deleted_at) ON users TO bdaysched_worker;
        GRANT SELECT ON queue_pause TO bdaysched_worker;
        GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeats TO bdaysched_worker;
    END IF;

    -- Whoever only looks: `studio` becomes this role before it reads anything. It sees every row, and
    -- writes none.
    IF to_regrole('bdaysched_reader') IS NOT NULL THEN
        REVOKE ALL ON
            users, time_zones, message_logs, message_guard, planned_mornings, changed_users,
            queue_pause, heartbeats, schema_migrations, schema_events, partition_events
            FROM bdaysched_reader;
        GRANT SELECT ON
            users, time_zones, message_logs, message_guard, planned_mornings, changed_users,
            queue_pause, heartbeats, schema_migrations, schema_events, partition_events
            TO bdaysched_reader;
        FOR month IN
            SELECT oid
            FROM pg_class
            WHERE relname ~ '^message_logs_\d{4}_\d{2}$'
              AND relnamespace = 'public'::regnamespace
              AND relkind = 'r'
        LOOP
            EXECUTE format('GRANT SELECT ON %s TO bdaysched_reader', month);
        END LOOP;
    END IF;
END
$$
