-- How many users have each month and day in each zone?
SELECT {date_column}, timezone, count(*)
FROM users
WHERE deleted_at IS NULL
  AND {date_column} IS NOT NULL
GROUP BY {date_column}, timezone
