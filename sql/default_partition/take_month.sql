-- A month of its own for rows that have none yet.
ALTER TABLE {partition} ADD CONSTRAINT message_logs_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
-- The whole of it: who has begun to write knows the months of before, and would not find the new one.
LOCK TABLE message_logs_moving IN ACCESS EXCLUSIVE MODE;
WITH homeless AS (
    DELETE FROM message_logs_moving_rest
    WHERE scheduled_send_time >= {starts_at} AND scheduled_send_time < {ends_at}
    RETURNING {columns}
)
INSERT INTO {partition} ({columns}) SELECT {columns} FROM homeless;
ALTER TABLE message_logs_moving
    ATTACH PARTITION {partition} FOR VALUES FROM ({starts_at}) TO ({ends_at})
