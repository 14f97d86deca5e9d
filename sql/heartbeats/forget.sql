-- Rows of processes that died, once they have been shown as stale for long enough.
DELETE FROM heartbeats WHERE stale_at < now() - %(shown_for)s::interval
