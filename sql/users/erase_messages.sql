-- How many messages did the user have, in any status, in a table of messages?
DELETE FROM {messages} WHERE user_id = %(id)s
