-- The whole schema, as the migrations build it. Change it here and run `bdaysched generate NAME`,
-- which writes the migration. `bdaysched schema dump` writes this file.

CREATE DOMAIN month_day AS text
    CONSTRAINT check_month_day CHECK (VALUE ~ '^((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))$'::text);

CREATE TABLE changed_users (
    user_id     uuid        NOT NULL,
    changed_at  timestamptz DEFAULT now() NOT NULL,
    added       boolean     NOT NULL
);

CREATE TABLE heartbeats (
    id            uuid        NOT NULL,
    kind          text        NOT NULL,
    host          text        NOT NULL,
    pid           integer     NOT NULL,
    version       text        NOT NULL,
    started_at    timestamptz DEFAULT now() NOT NULL,
    last_beat_at  timestamptz DEFAULT now() NOT NULL,
    stale_at      timestamptz NOT NULL,
    state         text        NOT NULL,
    done          bigint      DEFAULT 0 NOT NULL,
    failed        bigint      DEFAULT 0 NOT NULL,
    rate          real,
    CONSTRAINT heartbeats_pkey PRIMARY KEY (id),
    CONSTRAINT check_heartbeat_kind CHECK (kind = ANY (ARRAY['worker'::text, 'scheduler'::text]))
);

COMMENT ON COLUMN heartbeats.done IS 'messages that a worker has sent since it started, that a scheduler''s last run has queued';
COMMENT ON COLUMN heartbeats.failed IS 'attempts of a worker that did not deliver since it started';
COMMENT ON COLUMN heartbeats.id IS 'a worker process; the schedulers of one host share theirs';
COMMENT ON COLUMN heartbeats.rate IS 'messages that a worker sent each second since its beat before';
COMMENT ON COLUMN heartbeats.stale_at IS 'without another beat until then, something is wrong with it';

CREATE TABLE message_guard (
    delivery_date  date NOT NULL,
    user_id        uuid NOT NULL,
    message_type   text NOT NULL,
    CONSTRAINT message_guard_pkey PRIMARY KEY (delivery_date, user_id, message_type)
) PARTITION BY RANGE (delivery_date);

CREATE OR REPLACE FUNCTION message_key(user_id uuid, message_type text, delivery_date date)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (((((((((user_id)::text || ':'::text) || message_type) || ':'::text) || (EXTRACT(year FROM delivery_date))::text) || CASE WHEN (EXTRACT(month FROM delivery_date) < (10)::numeric) THEN '-0'::text ELSE '-'::text END) || (EXTRACT(month FROM delivery_date))::text) || CASE WHEN (EXTRACT(day FROM delivery_date) < (10)::numeric) THEN '-0'::text ELSE '-'::text END) || (EXTRACT(day FROM delivery_date))::text);

CREATE TABLE message_logs (
    id                   uuid        DEFAULT gen_random_uuid() NOT NULL,
    user_id              uuid        NOT NULL,
    message_type         text        NOT NULL,
    message_content      text        NOT NULL,
    delivery_date        date        NOT NULL,
    scheduled_send_time  timestamptz NOT NULL,
    expires_at           timestamptz DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    actual_send_time     timestamptz,
    status               text        DEFAULT 'SCHEDULED'::text NOT NULL,
    retry_count          integer     DEFAULT 0 NOT NULL,
    last_retry_at        timestamptz,
    next_attempt_at      timestamptz,
    lease_expires_at     timestamptz,
    api_response_code    integer,
    api_response_body    text,
    error_message        text,
    idempotency_key      text        GENERATED ALWAYS AS (message_key(user_id, message_type, delivery_date)) STORED NOT NULL,
    created_at           timestamptz DEFAULT now() NOT NULL,
    updated_at           timestamptz DEFAULT now() NOT NULL,
    lease_token          uuid,
    attempts             jsonb,
    CONSTRAINT message_logs_pkey PRIMARY KEY (id, scheduled_send_time),
    CONSTRAINT check_message_status CHECK (status = ANY (ARRAY['SCHEDULED'::text, 'QUEUED'::text, 'SENDING'::text, 'SENT'::text, 'FAILED'::text, 'RETRYING'::text])),
    CONSTRAINT check_message_type CHECK (message_type = ANY (ARRAY['BIRTHDAY'::text, 'ANNIVERSARY'::text])),
    CONSTRAINT check_retry_count_positive CHECK (retry_count >= 0)
) PARTITION BY RANGE (scheduled_send_time);

CREATE TABLE users (
    id                uuid        DEFAULT gen_random_uuid() NOT NULL,
    first_name        text        NOT NULL,
    last_name         text        NOT NULL,
    email             text        NOT NULL,
    timezone          text        NOT NULL,
    birthday_date     month_day,
    anniversary_date  month_day,
    location_city     text,
    location_country  text,
    created_at        timestamptz DEFAULT now() NOT NULL,
    updated_at        timestamptz DEFAULT now() NOT NULL,
    deleted_at        timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT check_timezone_format CHECK (timezone ~ '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$'::text)
);

ALTER TABLE message_logs ADD CONSTRAINT message_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

CREATE UNIQUE INDEX idx_message_logs_idempotency ON message_logs USING btree (idempotency_key, scheduled_send_time);
CREATE INDEX idx_message_logs_recovery ON message_logs USING btree (scheduled_send_time, status) WHERE status = ANY (ARRAY['SCHEDULED'::text, 'RETRYING'::text, 'FAILED'::text]);
CREATE INDEX idx_message_logs_scheduled_time ON message_logs USING btree (scheduled_send_time);
CREATE INDEX idx_message_logs_scheduler ON message_logs USING btree (message_type, status, scheduled_send_time);
CREATE INDEX idx_message_logs_status ON message_logs USING btree (status);
CREATE INDEX idx_message_logs_user_id ON message_logs USING btree (user_id);

CREATE OR REPLACE FUNCTION refuse_message_key_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'user_id, message_type and delivery_date of a message cannot be updated'
        USING ERRCODE = 'integrity_constraint_violation',
              HINT = 'Delete the row and insert another.';
END
$function$;

CREATE TRIGGER refuse_message_key_change BEFORE UPDATE OF user_id, message_type, delivery_date ON message_logs FOR EACH STATEMENT EXECUTE FUNCTION refuse_message_key_change();

CREATE OR REPLACE FUNCTION release_message_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    DELETE FROM message_guard AS guard
    USING deleted_messages AS deleted
    WHERE deleted.status = 'SCHEDULED'
      AND guard.delivery_date = deleted.delivery_date
      AND guard.user_id = deleted.user_id
      AND guard.message_type = deleted.message_type;
    RETURN NULL;
END
$function$;

CREATE TRIGGER release_message_guard AFTER DELETE ON message_logs REFERENCING OLD TABLE AS deleted_messages FOR EACH STATEMENT EXECUTE FUNCTION release_message_guard();

CREATE OR REPLACE FUNCTION take_message_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    -- In the order of the key, so that two writers wait for each other instead of deadlocking.
    INSERT INTO message_guard (delivery_date, user_id, message_type)
    SELECT delivery_date, user_id, message_type FROM inserted_messages ORDER BY 1, 2, 3;
    RETURN NULL;
END
$function$;

CREATE TRIGGER take_message_guard AFTER INSERT ON message_logs REFERENCING NEW TABLE AS inserted_messages FOR EACH STATEMENT EXECUTE FUNCTION take_message_guard();

COMMENT ON COLUMN message_logs.attempts IS 'every attempt that did not deliver: an array of objects, the oldest first';
COMMENT ON COLUMN message_logs.delivery_date IS 'the user''s own local date that the message is for';
COMMENT ON COLUMN message_logs.expires_at IS 'from this instant on it is too late to send';
COMMENT ON COLUMN message_logs.lease_expires_at IS 'SENDING: the worker''s claim ends. QUEUED, without a broker: a worker has it in hand until then';
COMMENT ON COLUMN message_logs.lease_token IS 'the claim, of many rows at once, that took this one last: only it may renew, record or hand back';
COMMENT ON COLUMN message_logs.next_attempt_at IS 'RETRYING: not to be tried again before';

CREATE TABLE partition_events (
    id           bigint      GENERATED ALWAYS AS IDENTITY NOT NULL,
    partition    text        NOT NULL,
    event        text        NOT NULL,
    happened_at  timestamptz DEFAULT now() NOT NULL,
    done_by      text        NOT NULL,
    forced       boolean     DEFAULT false NOT NULL,
    rows         jsonb,
    archive      text,
    CONSTRAINT partition_events_pkey PRIMARY KEY (id),
    CONSTRAINT check_partition_event CHECK (event = ANY (ARRAY['created'::text, 'detached'::text, 'archived'::text, 'dropped'::text, 'restored'::text]))
);

COMMENT ON COLUMN partition_events.archive IS 'where the manifest of its archive is';
COMMENT ON COLUMN partition_events.forced IS 'although it held messages that were not final';
COMMENT ON COLUMN partition_events.rows IS 'how many messages it held, by status';

CREATE TABLE planned_mornings (
    message_type         text        NOT NULL,
    delivery_date        date        NOT NULL,
    scheduled_send_time  timestamptz NOT NULL,
    digest               text        NOT NULL,
    planned_at           timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT planned_mornings_pkey PRIMARY KEY (message_type, delivery_date, scheduled_send_time)
);

CREATE TABLE queue_pause (
    is_only_row   boolean     DEFAULT true NOT NULL,
    paused_until  timestamptz DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    paused_at     timestamptz DEFAULT now() NOT NULL,
    paused_by     text        NOT NULL,
    reason        text,
    CONSTRAINT queue_pause_pkey PRIMARY KEY (is_only_row),
    CONSTRAINT check_only_row CHECK (is_only_row)
);

CREATE TABLE time_zones (
    name  text NOT NULL,
    CONSTRAINT time_zones_pkey PRIMARY KEY (name)
);

ALTER TABLE users ADD CONSTRAINT users_timezone_known FOREIGN KEY (timezone) REFERENCES time_zones(name);

CREATE INDEX idx_users_anniversary_date ON users USING btree (anniversary_date) WHERE deleted_at IS NULL AND anniversary_date IS NOT NULL;
CREATE INDEX idx_users_anniversary_timezone ON users USING btree (anniversary_date, timezone) WHERE deleted_at IS NULL;
CREATE INDEX idx_users_birthday_date ON users USING btree (birthday_date) WHERE deleted_at IS NULL AND birthday_date IS NOT NULL;
CREATE INDEX idx_users_birthday_timezone ON users USING btree (birthday_date, timezone) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX idx_users_email_unique ON users USING btree (email) WHERE deleted_at IS NULL;

CREATE OR REPLACE FUNCTION note_added_users()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    INSERT INTO changed_users (user_id, added) SELECT id, true FROM added_users;
    RETURN NULL;
END
$function$;

CREATE TRIGGER note_added_users AFTER INSERT ON users REFERENCING NEW TABLE AS added_users FOR EACH STATEMENT EXECUTE FUNCTION note_added_users();

CREATE OR REPLACE FUNCTION note_changed_users()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    INSERT INTO changed_users (user_id, added)
    SELECT after.id, false
    FROM users_after AS after
    LEFT JOIN users_before AS before ON before.id = after.id
    WHERE before IS DISTINCT FROM after;
    RETURN NULL;
END
$function$;

CREATE TRIGGER note_changed_users AFTER UPDATE ON users REFERENCING OLD TABLE AS users_before NEW TABLE AS users_after FOR EACH STATEMENT EXECUTE FUNCTION note_changed_users();

CREATE OR REPLACE FUNCTION touch_user()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$function$;

CREATE TRIGGER touch_user BEFORE UPDATE ON users FOR EACH ROW WHEN (new.updated_at = old.updated_at AND new.* IS DISTINCT FROM old.*) EXECUTE FUNCTION touch_user();

CREATE OR REPLACE FUNCTION guard_message_table(target regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;
