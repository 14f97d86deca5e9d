-- Empty where there is no schema_migrations.
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped
