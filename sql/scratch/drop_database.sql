-- Forced: a session that we closed may still be ending.
DROP DATABASE IF EXISTS {database} WITH (FORCE)
