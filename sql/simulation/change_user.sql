-- Makes another of a user: a different zone, date or name, or none any more.
UPDATE users
SET first_name = coalesce(%(first_name)s, first_name),
    timezone = coalesce(%(timezone)s, timezone),
    birthday_date = coalesce(%(birthday_date)s, birthday_date),
    deleted_at = CASE WHEN %(delete)s THEN %(now)s ELSE deleted_at END
WHERE id = %(id)s
