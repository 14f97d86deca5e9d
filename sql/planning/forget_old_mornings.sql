-- Mornings that nothing can be changed about any more; the last of each type stays, since it tells
-- up to where planning got.
DELETE FROM planned_mornings AS morning
WHERE morning.scheduled_send_time < %(since)s
  AND EXISTS (
      SELECT FROM planned_mornings AS later
      WHERE later.message_type = morning.message_type
        AND later.scheduled_send_time > morning.scheduled_send_time
  )
