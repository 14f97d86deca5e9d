-- Users who were added or changed just now, by the simulation's clock.
UPDATE users
SET created_at = CASE WHEN %(added)s THEN %(now)s ELSE created_at END,
    updated_at = %(now)s
WHERE id = ANY (%(ids)s)
