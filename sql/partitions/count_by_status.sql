SELECT status, count(*) FROM {partition} GROUP BY status ORDER BY status
