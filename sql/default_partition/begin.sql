-- Beside a default partition, the home that its rows are to have: not yet part of message_logs, and
-- kept the same as the default by a trigger while they are copied there. So every row is seen in
-- message_logs all the time, and once.
CREATE TABLE message_logs_moving (
    LIKE message_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE,
    PRIMARY KEY (id, scheduled_send_time)
) PARTITION BY RANGE (scheduled_send_time);
-- For a row of a month that nobody had before.
CREATE TABLE message_logs_moving_rest PARTITION OF message_logs_moving DEFAULT;
CREATE FUNCTION mirror_moving_message() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM message_logs_moving
        WHERE id = OLD.id AND scheduled_send_time = OLD.scheduled_send_time;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO message_logs_moving ({columns}) SELECT {new_columns};
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION mirror_moving_message() FROM PUBLIC;
CREATE TRIGGER mirror_moving_message AFTER INSERT OR UPDATE OR DELETE ON {partition}
    FOR EACH ROW EXECUTE FUNCTION mirror_moving_message()
