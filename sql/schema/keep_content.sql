UPDATE schema_migrations SET content = %(content)s
WHERE version = %(version)s AND checksum = %(checksum)s AND content IS NULL
