-- Takes a lock that nobody is kept out by. A pooler that can keep a client on one server process does
-- so from now on, as it would for our own locks.
SELECT pg_try_advisory_lock_shared(1650549113, -1)
