-- Connections to this database by application and state, and in all against the server's limit
SELECT
    coalesce(nullif(application_name, ''), '(unnamed)') AS application,
    count(*) AS total,
    count(*) FILTER (WHERE state = 'active') AS active,
    count(*) FILTER (WHERE state = 'idle') AS idle,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
    current_setting('max_connections')::integer AS max_connections
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
GROUP BY ROLLUP (coalesce(nullif(application_name, ''), '(unnamed)'))
ORDER BY grouping(coalesce(nullif(application_name, ''), '(unnamed)')), total DESC, application
