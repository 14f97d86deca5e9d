-- Connections by application and state, and whether max_connections is enough for us
WITH sessions AS (
    SELECT coalesce(nullif(application_name, ''), '(unnamed)') AS name, state
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
), limits AS (
    SELECT
        current_setting('max_connections')::integer AS max_connections,
        current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer AS usable,
        greatest(count(*), 1) AS processes,
        %(pool_max)s::integer AS pool_max,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used
    FROM heartbeats
    WHERE stale_at > now()
)
SELECT
    CASE WHEN grouping(name) = 1 THEN 'all' ELSE name END AS application,
    count(*) AS total,
    count(*) FILTER (WHERE state = 'active') AS active,
    count(*) FILTER (WHERE state = 'idle') AS idle,
    count(*) FILTER (WHERE starts_with(state, 'idle in transaction')) AS idle_in_transaction,
    CASE WHEN grouping(name) = 1 THEN min(
        CASE
            WHEN used > 0.9 * usable THEN format(
                '%%s of %%s are in use: end idle ones, lower DATABASE_POOL_MAX or raise'
                ' max_connections', used, usable)
            WHEN processes * pool_max + 10 > max_connections THEN format(
                '%%s processes x %%s + 10 = %%s is more than %%s: raise max_connections, or set'
                ' DATABASE_POOL_MAX to %%s', processes, pool_max, processes * pool_max + 10,
                max_connections, greatest((max_connections - 10) / processes, 1))
            ELSE format(
                'enough: %%s processes x %%s + 10 = %%s, of %%s', processes, pool_max,
                processes * pool_max + 10, max_connections)
        END) END AS advice
FROM sessions
CROSS JOIN limits
GROUP BY ROLLUP (name)
ORDER BY grouping(name), total DESC, name
