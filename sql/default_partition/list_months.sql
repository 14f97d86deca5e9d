-- The months of the rows of a table, by their first days; null for what is no instant of any month.
SELECT DISTINCT
    CASE
        WHEN scheduled_send_time >= '0001-01-02' AND scheduled_send_time < '9999-12-01'
            THEN date_trunc('month', scheduled_send_time AT TIME ZONE 'UTC')::date
    END AS first_day
FROM {table}
ORDER BY first_day NULLS FIRST
