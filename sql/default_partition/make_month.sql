-- As sql/partitions/create_message_month.sql does, but for the guard's triggers: the places of rows
-- that are copied are taken.
CREATE TABLE {partition} (
    LIKE message_logs
        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING INDEXES INCLUDING STORAGE,
    CONSTRAINT {check} CHECK (scheduled_send_time >= {starts_at} AND scheduled_send_time < {ends_at})
)
