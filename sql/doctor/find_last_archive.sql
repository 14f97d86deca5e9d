-- Where the manifest of the month is that was dropped last and had been archived.
SELECT archive
FROM partition_events
WHERE event = 'dropped' AND archive IS NOT NULL
ORDER BY id DESC
LIMIT 1
