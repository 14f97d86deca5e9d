-- How long after their send time messages were sent, in seconds: for each local date, and, without
-- one, for all.
SELECT
    delivery_date,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY lateness),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY lateness),
    max(lateness)
FROM (
    SELECT
        delivery_date,
        extract(epoch FROM actual_send_time - scheduled_send_time)::double precision AS lateness
    FROM message_logs
    WHERE scheduled_send_time >= %(since)s
      AND scheduled_send_time < %(until)s
      AND delivery_date BETWEEN %(first)s AND %(last)s
      AND status = 'SENT'
) AS sent
GROUP BY GROUPING SETS ((delivery_date), ())
