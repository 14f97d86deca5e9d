-- Who has an e-mail or an id, deleted or not? The one who is not deleted comes first.
SELECT id, email, first_name, last_name, deleted_at
FROM users
WHERE email = %(who)s OR id::text = lower(%(who)s)
ORDER BY deleted_at DESC NULLS FIRST, id
