-- Which migrations this database has had, and what they said at the time.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version      text        PRIMARY KEY,
    name         text        NOT NULL,
    checksum     text        NOT NULL,
    applied_at   timestamptz NOT NULL DEFAULT now(),
    duration_ms  integer     NOT NULL
);
-- Early versions of the program did not keep it.
ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS content text;

-- What else happened to them. Rows are added only: what an accepted file said before is here.
CREATE TABLE IF NOT EXISTS schema_events (
    event_id     bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    event        text        NOT NULL,
    version      text        NOT NULL,
    name         text        NOT NULL,
    checksum     text        NOT NULL,
    content      text,
    happened_at  timestamptz NOT NULL DEFAULT now(),
    done_by      text        NOT NULL,
    reason       text
)
