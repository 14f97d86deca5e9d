-- How many local dates had a message of the user? They are free afterwards.
DELETE FROM message_guard WHERE user_id = %(id)s
