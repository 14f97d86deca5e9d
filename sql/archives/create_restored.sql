-- A month as create_month makes it, but without the guard's triggers yet: the rows that are coming
-- have their places already.
CREATE TABLE {partition} (
    LIKE message_logs
        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING INDEXES INCLUDING STORAGE,
    CONSTRAINT {check} CHECK (scheduled_send_time >= {starts_at} AND scheduled_send_time < {ends_at})
)
