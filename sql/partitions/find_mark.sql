-- Does the table have the CHECK by whose name months are known?
SELECT EXISTS (
    SELECT
    FROM pg_constraint
    WHERE conrelid = to_regclass(%(partition)s) AND contype = 'c' AND conname = %(partition)s || '_month'
)
