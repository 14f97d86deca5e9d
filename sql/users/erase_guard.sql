-- How many local dates had a message of the user? They are free afterwards. The key begins with the
-- date, so the user is looked up on every day there is: that is a few thousand look-ups, where by
-- the user alone it would be all that anybody ever got.
DELETE FROM message_guard
WHERE user_id = %(id)s
  AND delivery_date = ANY (ARRAY(
      SELECT day::date
      FROM (SELECT min(delivery_date) AS first, max(delivery_date) AS last FROM message_guard) AS ends
      CROSS JOIN generate_series(first, last, interval '1 day') AS day
  ))
