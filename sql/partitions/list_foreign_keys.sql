SELECT conname
FROM pg_constraint
WHERE conrelid = to_regclass(%(partition)s) AND contype = 'f'
