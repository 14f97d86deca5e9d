-- The users that fit a filter, by e-mail, after the last one of the page before. A filter that is NULL
-- lets everyone through.
SELECT id, first_name, last_name, email, timezone, birthday_date, anniversary_date
FROM users
WHERE deleted_at IS NULL
  AND (%(after)s::text IS NULL OR email > %(after)s)
  AND (%(text)s::text IS NULL
       OR position(lower(%(text)s) IN lower(concat_ws(' ', first_name, last_name, email))) > 0)
  AND (%(email)s::text IS NULL OR email = %(email)s)
  AND (%(timezone)s::text IS NULL OR timezone = %(timezone)s)
  AND (%(month_day)s::text IS NULL OR birthday_date = %(month_day)s
       OR anniversary_date = %(month_day)s)
ORDER BY email
LIMIT %(limit)s
