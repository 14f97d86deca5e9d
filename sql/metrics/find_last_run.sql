-- When did a run of schedule last end well? Nothing while the only host that ran it runs it again.
SELECT extract(epoch FROM max(last_beat_at))::double precision
FROM heartbeats
WHERE kind = 'scheduler'
  AND starts_with(state, 'done')
