-- By way of JSON, since early versions of the program made the table without content.
SELECT version, name, checksum, applied_at, to_jsonb(applied) ->> 'content'
FROM schema_migrations AS applied
ORDER BY version
