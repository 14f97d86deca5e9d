-- The 20 statements that took most time since pg_stat_statements was reset
-- needs extension pg_stat_statements
SELECT
    round(total_exec_time::numeric / 1000, 1)::double precision AS total_seconds,
    calls,
    round((mean_exec_time / 1000)::numeric, 4)::double precision AS mean_seconds,
    rows,
    left(regexp_replace(query, '(--[^\n]*|\s)+', ' ', 'g'), 120) AS statement
FROM pg_stat_statements
JOIN pg_database ON pg_database.oid = dbid
WHERE datname = current_database()
ORDER BY total_exec_time DESC
LIMIT 20
