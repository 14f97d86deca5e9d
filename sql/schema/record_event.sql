INSERT INTO schema_events (event, version, name, checksum, content, done_by, reason)
VALUES (%(event)s, %(version)s, %(name)s, %(checksum)s, %(content)s, %(done_by)s, %(reason)s)
