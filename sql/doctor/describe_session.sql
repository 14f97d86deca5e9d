-- Which database this is, as whom, and whether it can be written: a standby cannot. Who has not the
-- rights of pg_read_all_stats sees little of the sessions of others.
SELECT
    current_database() AS database,
    current_user AS role,
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
    pg_is_in_recovery() AS is_standby,
    current_setting('transaction_read_only')::boolean AS is_read_only,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_others,
    pg_backend_pid() AS pid
