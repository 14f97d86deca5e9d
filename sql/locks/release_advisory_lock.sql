SELECT pg_advisory_unlock(1650549113, %(lock)s)
