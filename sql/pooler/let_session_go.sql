SELECT pg_advisory_unlock_shared(1650549113, -1)
