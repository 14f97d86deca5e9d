-- Tables that a crash of the server empties.
SELECT relname
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relpersistence = 'u'
ORDER BY relname
