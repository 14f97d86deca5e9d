-- Made apart and then attached: CREATE TABLE … PARTITION OF would lock message_logs against reading.
-- The CHECK says what the bounds will say, so that nothing is scanned; by its name a month is known
-- also when it is attached to nothing.
CREATE TABLE {partition} (
    LIKE message_logs
        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING INDEXES INCLUDING STORAGE,
    CONSTRAINT {check} CHECK (scheduled_send_time >= {starts_at} AND scheduled_send_time < {ends_at})
);
SELECT guard_message_table({partition_name});
