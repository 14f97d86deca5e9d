-- Who was erased is not brought back: takes out the rows whose user is not there any more.
DELETE FROM {partition} AS restored
WHERE NOT EXISTS (SELECT FROM users WHERE users.id = restored.user_id)
