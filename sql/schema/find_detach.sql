-- Whether a concurrent detach was interrupted; no row where it is no partition of the table any more.
SELECT inhdetachpending
FROM pg_inherits
WHERE inhparent = to_regclass(%(table)s) AND inhrelid = to_regclass(%(partition)s)
