-- Which workers and schedulers there are. Each keeps one row and writes it every few seconds; who has
-- not done so until stale_at hangs, is cut off or dead. It is logged like any other table, so that
-- replicas show it, but nobody waits for its commits.
-- lint: allow prefer-bigint-over-int: a process id stays small
CREATE TABLE heartbeats (
    id            uuid        NOT NULL,
    kind          text        NOT NULL,
    host          text        NOT NULL,
    pid           integer     NOT NULL,
    version       text        NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    last_beat_at  timestamptz NOT NULL DEFAULT now(),
    stale_at      timestamptz NOT NULL,
    state         text        NOT NULL,
    done          bigint      NOT NULL DEFAULT 0,
    failed        bigint      NOT NULL DEFAULT 0,
    rate          real,
    CONSTRAINT heartbeats_pkey PRIMARY KEY (id),
    CONSTRAINT check_heartbeat_kind CHECK (kind IN ('worker', 'scheduler'))
);

COMMENT ON COLUMN heartbeats.id IS 'a worker process; the schedulers of one host share theirs';
COMMENT ON COLUMN heartbeats.stale_at IS 'without another beat until then, something is wrong with it';
COMMENT ON COLUMN heartbeats.done IS 'messages that a worker has sent since it started, that a scheduler''s last run has queued';
COMMENT ON COLUMN heartbeats.failed IS 'attempts of a worker that did not deliver since it started';
COMMENT ON COLUMN heartbeats.rate IS 'messages that a worker sent each second since its beat before';
