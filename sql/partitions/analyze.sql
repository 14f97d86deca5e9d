-- Autovacuum does that for months, and never for the table that they are parts of. It comes first, and
-- the months after it.
ANALYZE (SKIP_LOCKED) {table}
