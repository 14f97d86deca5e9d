-- Notes as changed everyone who has, or should have, a message of one type on a local date.
INSERT INTO changed_users (user_id, added)
SELECT guard.user_id, false
FROM message_guard AS guard
WHERE guard.delivery_date = %(delivery_date)s
  AND guard.message_type = {message_type}
UNION
SELECT users.id, false
FROM users
WHERE users.{date_column} = ANY (%(month_days)s)
  AND users.deleted_at IS NULL
