-- What happened to one partition, in its order.
SELECT partition, event, happened_at, done_by, forced, rows, archive
FROM partition_events
WHERE partition = %(partition)s
ORDER BY id
