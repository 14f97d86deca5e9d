-- Takes the user's own row away; by its foreign key no message of the user can come back.
DELETE FROM users WHERE id = %(id)s
