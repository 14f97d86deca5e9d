-- The default partition of message_logs, of a database that was not made by this program.
SELECT relname
FROM pg_partitioned_table
JOIN pg_class ON pg_class.oid = partdefid
WHERE partrelid = 'message_logs'::regclass
