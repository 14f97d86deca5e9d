SELECT name FROM unnest('{users, message_logs}'::text[]) AS name
WHERE to_regclass(name) IS NOT NULL
