-- The name is what counts: its bounds say the same, so that no row is looked at.
ALTER TABLE {partition} ADD CONSTRAINT {check}
    CHECK (scheduled_send_time >= {starts_at} AND scheduled_send_time < {ends_at}) NOT VALID
