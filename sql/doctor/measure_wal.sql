-- Needs the rights of pg_monitor.
SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()
