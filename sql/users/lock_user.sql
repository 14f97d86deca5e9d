-- Is the user there? Waits for those who are adding messages for the user, and keeps others from it.
SELECT FROM users WHERE id = %(id)s FOR UPDATE
