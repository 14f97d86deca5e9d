SELECT event, version, checksum FROM schema_events WHERE event LIKE '%file accepted'
