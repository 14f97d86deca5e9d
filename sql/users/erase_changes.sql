-- How many changes of the user had planning still to look at?
DELETE FROM changed_users WHERE user_id = %(id)s
