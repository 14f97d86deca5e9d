UPDATE schema_migrations
SET name = %(name)s, checksum = %(checksum)s, content = %(content)s
WHERE version = %(version)s
