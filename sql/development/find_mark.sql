-- Is this the private server, and what does the database's comment say? Only the private server is
-- started with the setting.
SELECT
    current_setting('bdaysched.data', true) IS NOT NULL,
    coalesce(shobj_description(oid, 'pg_database'), '')
FROM pg_database
WHERE datname = current_database()
