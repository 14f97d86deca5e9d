-- Which migrations this database has had, and what they said at the time.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version      text        PRIMARY KEY,
    name         text        NOT NULL,
    checksum     text        NOT NULL,
    applied_at   timestamptz NOT NULL DEFAULT now(),
    duration_ms  integer     NOT NULL
)
