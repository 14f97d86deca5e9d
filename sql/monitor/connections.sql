-- Connections to this database by state, against the server's limit
SELECT
    CASE WHEN grouping(name) = 1 THEN 'all' ELSE name END AS application,
    count(*) AS total,
    count(*) FILTER (WHERE state = 'active') AS active,
    count(*) FILTER (WHERE state = 'idle') AS idle,
    count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
    current_setting('max_connections')::integer AS max_connections
FROM pg_stat_activity
CROSS JOIN LATERAL (SELECT coalesce(nullif(application_name, ''), '(unnamed)') AS name) AS naming
WHERE datname = current_database() AND backend_type = 'client backend'
GROUP BY ROLLUP (name)
ORDER BY grouping(name), total DESC, name
