-- As a transaction that has written to every table would; not where another waits for the table.
DO $$
DECLARE
    target regclass;
BEGIN
    FOR target IN
        SELECT oid FROM pg_class
        WHERE relkind IN ('r', 'p')
          AND relnamespace <> ALL ('{pg_catalog, information_schema}'::regnamespace[])
          AND relpersistence <> 't'
    LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE NOWAIT', target);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
END
$$
