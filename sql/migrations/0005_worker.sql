-- What workers leave on a row, and what an operator tells them.

ALTER TABLE message_logs
    ADD COLUMN lease_token uuid,
    ADD COLUMN attempts jsonb;

COMMENT ON COLUMN message_logs.lease_token IS
    'the claim, of many rows at once, that took this one last: only it may renew, record or hand back';
COMMENT ON COLUMN message_logs.attempts IS
    'every attempt that did not deliver: an array of objects, the oldest first';

-- One row while an operator keeps all workers from delivering; none, or one that is over, otherwise.
CREATE TABLE queue_pause (
    is_only_row   boolean     NOT NULL DEFAULT true,
    paused_until  timestamptz NOT NULL DEFAULT 'infinity',
    paused_at     timestamptz NOT NULL DEFAULT now(),
    paused_by     text        NOT NULL,
    reason        text,
    CONSTRAINT queue_pause_pkey PRIMARY KEY (is_only_row),
    CONSTRAINT check_only_row CHECK (is_only_row)
);
