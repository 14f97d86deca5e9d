-- What happened last to each partition.
SELECT DISTINCT ON (partition) partition, event, happened_at, done_by, forced, rows, archive
FROM partition_events
ORDER BY partition, id DESC
