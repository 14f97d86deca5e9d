-- What holds for a session that works as a queue. Waiting rows are few in a large table, and last
-- week's statistics may say the opposite: the index on status is the way to them. A lease that a
-- crash of the server undoes costs nothing, since whoever claims the row compares before it sets.
SELECT
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('synchronous_commit', 'off', false)
