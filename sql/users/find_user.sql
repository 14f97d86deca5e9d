-- The user with an e-mail or an id, unless deleted.
SELECT id, email, first_name, last_name
FROM users
WHERE deleted_at IS NULL
  AND (email = %(who)s OR id::text = lower(%(who)s))
