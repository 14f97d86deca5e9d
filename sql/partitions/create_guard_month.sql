CREATE TABLE {partition} (
    LIKE message_guard INCLUDING INDEXES,
    CONSTRAINT {check} CHECK (delivery_date >= {starts_at} AND delivery_date < {ends_at})
);
