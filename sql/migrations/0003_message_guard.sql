-- One row for each user, type and local date that has a message, whoever wrote it and whenever it
-- is due. Statement triggers fill it: one set on the parent, for INSERT and COPY into message_logs,
-- and one on each partition, for those that name the partition. A row that moves to another month
-- because its send time changed fires neither, and keeps its place here.

CREATE TABLE message_guard (
    delivery_date  date NOT NULL,
    user_id        uuid NOT NULL,
    message_type   text NOT NULL,
    CONSTRAINT message_guard_pkey PRIMARY KEY (delivery_date, user_id, message_type)
) PARTITION BY RANGE (delivery_date);

CREATE FUNCTION take_message_guard() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    -- In the order of the key, so that two writers wait for each other instead of deadlocking.
    INSERT INTO message_guard (delivery_date, user_id, message_type)
    SELECT delivery_date, user_id, message_type FROM inserted_messages ORDER BY 1, 2, 3;
    RETURN NULL;
END
$$;

-- A message that was never under way may be deleted and planned again. Any other keeps its place,
-- so that deleting the record of a sent message does not send it twice.
CREATE FUNCTION release_message_guard() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    DELETE FROM message_guard AS guard
    USING deleted_messages AS deleted
    WHERE deleted.status = 'SCHEDULED'
      AND guard.delivery_date = deleted.delivery_date
      AND guard.user_id = deleted.user_id
      AND guard.message_type = deleted.message_type;
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_message_key_change() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'user_id, message_type and delivery_date of a message cannot be updated'
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Delete the row and insert another.';
END
$$;

-- Puts the triggers on message_logs or on one of its partitions; does nothing where they are.
CREATE FUNCTION guard_message_table(target regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = target AND tgname = 'take_message_guard') THEN
        EXECUTE format(
            'CREATE TRIGGER take_message_guard AFTER INSERT ON %s REFERENCING NEW TABLE AS '
            'inserted_messages FOR EACH STATEMENT EXECUTE FUNCTION take_message_guard()', target);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = target AND tgname = 'release_message_guard') THEN
        EXECUTE format(
            'CREATE TRIGGER release_message_guard AFTER DELETE ON %s REFERENCING OLD TABLE AS '
            'deleted_messages FOR EACH STATEMENT EXECUTE FUNCTION release_message_guard()', target);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = target AND tgname = 'refuse_message_key_change') THEN
        EXECUTE format(
            'CREATE TRIGGER refuse_message_key_change BEFORE UPDATE OF user_id, message_type, '
            'delivery_date ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_message_key_change()', target);
    END IF;
END
$$;

SELECT guard_message_table('message_logs');
