-- How many rows are queued, and how many of them have been so for long?
SELECT count(*), count(*) FILTER (WHERE updated_at <= now() - %(age)s)
FROM message_logs
WHERE status = 'QUEUED'
