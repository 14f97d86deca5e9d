-- Empty by now.
DROP TABLE message_logs_moving;
DROP FUNCTION mirror_moving_message()
