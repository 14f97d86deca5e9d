-- What happened to the months of message_logs and of its guard. Rows are added only: what was dropped,
-- with how many messages, by whom and where they were archived, is known for good.
CREATE TABLE partition_events (
    id           bigint      GENERATED ALWAYS AS IDENTITY,
    partition    text        NOT NULL,
    event        text        NOT NULL,
    happened_at  timestamptz NOT NULL DEFAULT now(),
    done_by      text        NOT NULL,
    forced       boolean     NOT NULL DEFAULT false,
    rows         jsonb,
    archive      text,
    CONSTRAINT partition_events_pkey PRIMARY KEY (id),
    CONSTRAINT check_partition_event CHECK (
        event IN ('created', 'detached', 'archived', 'dropped', 'restored')
    )
);

COMMENT ON COLUMN partition_events.forced IS 'although it held messages that were not final';
COMMENT ON COLUMN partition_events.rows IS 'how many messages it held, by status';
COMMENT ON COLUMN partition_events.archive IS 'where the manifest of its archive is';
