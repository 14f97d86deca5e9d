-- Workers and schedulers, those first that have not been heard of for too long
SELECT
    format('%%s %%s %%s', kind, host, pid) AS process,
    CASE WHEN stale_at < now() THEN 'STALE: ' ELSE '' END || state AS state,
    extract(epoch FROM now() - last_beat_at)::integer AS silent_seconds,
    round(rate::numeric, 1)::double precision AS per_second,
    done,
    failed,
    extract(epoch FROM now() - started_at)::integer AS up_seconds,
    version
FROM heartbeats
ORDER BY stale_at < now() DESC, kind DESC, started_at DESC, host, pid
