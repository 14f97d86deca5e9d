INSERT INTO schema_migrations (version, name, checksum, content, duration_ms)
VALUES (%(version)s, %(name)s, %(checksum)s, %(content)s, %(duration_ms)s)
