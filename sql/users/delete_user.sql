-- Softly: the row stays, for the sake of what was sent.
UPDATE users
SET deleted_at = now(), updated_at = now()
WHERE id = %(id)s AND deleted_at IS NULL
