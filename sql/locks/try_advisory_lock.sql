-- Do we hold the lock with this number now? 1650549113 is "bday" in ASCII, and keeps us apart from
-- the locks of other programs.
SELECT pg_try_advisory_lock(1650549113, %(lock)s)
