-- What happened to the months of message_logs, in its order.
SELECT partition, event, happened_at, done_by, forced, rows, archive
FROM partition_events
WHERE partition ~ '^message_logs_\d{4}_\d{2}$'
ORDER BY id
