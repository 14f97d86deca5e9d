-- What has to be written: not what is generated.
SELECT attname
FROM pg_attribute
WHERE attrelid = 'message_logs'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
