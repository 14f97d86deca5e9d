-- The next rows in the order of the key. FOR SHARE keeps each as it is until its copy is there for
-- the trigger to find; a row that the trigger has copied before us is the newer one.
WITH batch AS MATERIALIZED (
    SELECT {columns}
    FROM {partition}
    WHERE (id, scheduled_send_time) > (%(id)s, %(scheduled_send_time)s)
    ORDER BY id, scheduled_send_time
    LIMIT %(limit)s
    FOR SHARE
), copied AS (
    INSERT INTO message_logs_moving ({columns}) SELECT {columns} FROM batch
    ON CONFLICT DO NOTHING
)
SELECT id, scheduled_send_time FROM batch ORDER BY id DESC, scheduled_send_time DESC LIMIT 1
