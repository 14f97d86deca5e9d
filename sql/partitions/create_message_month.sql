-- Made apart and then attached: CREATE TABLE … PARTITION OF would lock message_logs against reading.
CREATE TABLE {partition} (
    LIKE message_logs
        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING INDEXES INCLUDING STORAGE,
    CONSTRAINT {check} CHECK (scheduled_send_time >= {starts_at} AND scheduled_send_time < {ends_at})
);
SELECT guard_message_table({partition_name});
ALTER TABLE message_logs ATTACH PARTITION {partition} FOR VALUES FROM ({starts_at}) TO ({ends_at});
