-- The users whose name or e-mail holds a text, by name; all of them for an empty one.
SELECT
    email, first_name || ' ' || last_name AS name, timezone, birthday_date AS birthday,
    anniversary_date AS anniversary
FROM users
WHERE deleted_at IS NULL
  AND position(lower(%(text)s) IN lower(concat_ws(' ', first_name, last_name, email))) > 0
ORDER BY last_name, first_name, email
LIMIT %(limit)s
