SELECT content FROM schema_events
WHERE event = %(event)s AND version = %(version)s
ORDER BY event_id DESC LIMIT 1
