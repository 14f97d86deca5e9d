INSERT INTO partition_events (partition, event, done_by, forced, rows, archive)
VALUES (%(partition)s, %(event)s, %(done_by)s, %(forced)s, %(rows)s, %(archive)s)
