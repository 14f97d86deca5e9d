-- One row for each message, in monthly partitions by the instant at which it is due.

-- to_char and casts of a date are only stable; this spelling is immutable, as a generated column
-- must be, and simple enough to be inlined.
CREATE FUNCTION message_key(user_id uuid, message_type text, delivery_date date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN user_id::text || ':' || message_type || ':'
        || extract(year FROM delivery_date)::text
        || CASE WHEN extract(month FROM delivery_date) < 10 THEN '-0' ELSE '-' END
        || extract(month FROM delivery_date)::text
        || CASE WHEN extract(day FROM delivery_date) < 10 THEN '-0' ELSE '-' END
        || extract(day FROM delivery_date)::text;

CREATE TABLE message_logs (
    id                   uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id              uuid        NOT NULL,
    message_type         text        NOT NULL,
    message_content      text        NOT NULL,
    delivery_date        date        NOT NULL,
    scheduled_send_time  timestamptz NOT NULL,
    expires_at           timestamptz NOT NULL DEFAULT 'infinity',
    actual_send_time     timestamptz,
    status               text        NOT NULL DEFAULT 'SCHEDULED',
    retry_count          integer     NOT NULL DEFAULT 0,
    last_retry_at        timestamptz,
    next_attempt_at      timestamptz,
    lease_expires_at     timestamptz,
    api_response_code    integer,
    api_response_body    text,
    error_message        text,
    idempotency_key      text        NOT NULL
        GENERATED ALWAYS AS (message_key(user_id, message_type, delivery_date)) STORED,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, scheduled_send_time),
    CONSTRAINT message_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT check_message_status CHECK (
        status IN ('SCHEDULED', 'QUEUED', 'SENDING', 'SENT', 'FAILED', 'RETRYING')
    ),
    CONSTRAINT check_message_type CHECK (message_type IN ('BIRTHDAY', 'ANNIVERSARY')),
    CONSTRAINT check_retry_count_positive CHECK (retry_count >= 0)
) PARTITION BY RANGE (scheduled_send_time);

COMMENT ON COLUMN message_logs.delivery_date IS 'the user''s own local date that the message is for';
COMMENT ON COLUMN message_logs.expires_at IS 'from this instant on it is too late to send';
COMMENT ON COLUMN message_logs.next_attempt_at IS 'RETRYING: not to be tried again before';
COMMENT ON COLUMN message_logs.lease_expires_at IS
    'SENDING: the worker''s claim ends. QUEUED, without a broker: a worker has it in hand until then';

CREATE INDEX idx_message_logs_user_id ON message_logs (user_id);
CREATE INDEX idx_message_logs_status ON message_logs (status);
CREATE INDEX idx_message_logs_scheduled_time ON message_logs (scheduled_send_time);
CREATE INDEX idx_message_logs_scheduler ON message_logs (message_type, status, scheduled_send_time);
CREATE INDEX idx_message_logs_recovery ON message_logs (scheduled_send_time, status)
    WHERE status IN ('SCHEDULED', 'RETRYING', 'FAILED');
-- A unique index must hold the partition key; what this one cannot promise, message_guard does.
CREATE UNIQUE INDEX idx_message_logs_idempotency ON message_logs (idempotency_key, scheduled_send_time);
