-- Is the extension installed in this database?
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = %(extension)s)
