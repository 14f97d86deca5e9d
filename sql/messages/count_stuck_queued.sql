-- How many rows are queued and in nobody's hands, and how many of them have been so for long?
SELECT count(*), count(*) FILTER (WHERE updated_at <= now() - %(age)s)
FROM message_logs
WHERE status = 'QUEUED'
  AND (lease_expires_at IS NULL OR lease_expires_at <= now())
