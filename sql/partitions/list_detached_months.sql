-- Months that were detached and not dropped: an interrupted run leaves one. They are known by the
-- CHECK constraint that they were made with.
SELECT relname AS partition, to_date(right(relname, 7), 'YYYY_MM') AS first_day
FROM pg_class
JOIN pg_constraint ON conrelid = pg_class.oid AND conname = relname || '_month' AND contype = 'c'
WHERE relname ~ '^message_logs_\d{4}_\d{2}$'
  AND relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = pg_class.oid)
ORDER BY first_day
