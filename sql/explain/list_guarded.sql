-- For which of some local dates has a user had a message, whether its row is still there or not?
SELECT message_type, delivery_date
FROM message_guard
WHERE delivery_date = ANY (%(dates)s)
  AND user_id = %(user_id)s
