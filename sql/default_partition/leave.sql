-- The default partition goes, as a table of its own with the rows that it had. Its triggers would
-- make the places of messages free that are elsewhere now. In the order of what others hold longest.
SET LOCAL lock_timeout = '25ms';
LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
ALTER TABLE message_logs DETACH PARTITION {partition};
DROP TRIGGER mirror_moving_message ON {partition};
DROP TRIGGER IF EXISTS take_message_guard ON {partition};
DROP TRIGGER IF EXISTS release_message_guard ON {partition};
DROP TRIGGER IF EXISTS refuse_message_key_change ON {partition}
