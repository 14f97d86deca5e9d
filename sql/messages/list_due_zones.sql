-- The zones of the users who celebrate on one of these month-days.
SELECT DISTINCT timezone
FROM users
WHERE {date_column} = ANY (%(month_days)s)
  AND deleted_at IS NULL
