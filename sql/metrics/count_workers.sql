-- How many workers live, and how many fell silent within the last day?
SELECT
    count(*) FILTER (WHERE stale_at >= now()) AS live,
    count(*) FILTER (WHERE stale_at < now()) AS stale
FROM heartbeats
WHERE kind = 'worker'
