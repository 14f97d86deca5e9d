ALTER TABLE message_logs_moving DETACH PARTITION {partition};
SELECT guard_message_table({partition_name});
ALTER TABLE message_logs ATTACH PARTITION {partition} FOR VALUES FROM ({starts_at}) TO ({ends_at})
