-- What planning remembers, so that its cost follows what has changed and not how many users there are.

-- Every instant at which it is send time in some zones, and has been planned. The digest stands for
-- all that decides about its messages besides the users: zones, month-days, expiry, wording.
CREATE TABLE planned_mornings (
    message_type         text        NOT NULL,
    delivery_date        date        NOT NULL,
    scheduled_send_time  timestamptz NOT NULL,
    digest               text        NOT NULL,
    planned_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT planned_mornings_pkey PRIMARY KEY (message_type, delivery_date, scheduled_send_time)
);

-- Who was added or changed, by whichever program, since planning last looked. A row becomes visible
-- with the change itself, so nothing is missed however long a transaction takes.
CREATE TABLE changed_users (
    user_id     uuid        NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    added       boolean     NOT NULL
);

CREATE FUNCTION note_added_users() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO changed_users (user_id, added) SELECT id, true FROM added_users;
    RETURN NULL;
END
$$;

CREATE FUNCTION note_changed_users() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO changed_users (user_id, added)
    SELECT after.id, false
    FROM users_after AS after
    LEFT JOIN users_before AS before ON before.id = after.id
    WHERE before IS DISTINCT FROM after;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_added_users AFTER INSERT ON users
    REFERENCING NEW TABLE AS added_users
    FOR EACH STATEMENT EXECUTE FUNCTION note_added_users();

CREATE TRIGGER note_changed_users AFTER UPDATE ON users
    REFERENCING OLD TABLE AS users_before NEW TABLE AS users_after
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_users();

-- So that updated_at tells the truth whoever writes; `audit` reads it.
CREATE FUNCTION touch_user() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER touch_user BEFORE UPDATE ON users
    FOR EACH ROW WHEN (NEW.updated_at = OLD.updated_at AND NEW IS DISTINCT FROM OLD)
    EXECUTE FUNCTION touch_user();

-- Planning reads one date and a few zones at a time, of anniversaries as of birthdays.
CREATE INDEX idx_users_anniversary_timezone ON users (anniversary_date, timezone)
    WHERE deleted_at IS NULL;
