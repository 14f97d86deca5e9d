-- What holds for a session that works as a queue. Waiting rows are few in a large table, and last
-- week's statistics may say the opposite: the index on status is the way to them, and their keys are
-- the way back, never a look at all rows. Planning over all months takes longer than leasing a row,
-- so it is done once. A lease that a crash of the server undoes costs nothing, since whoever claims
-- the row compares before it sets.
SELECT
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('synchronous_commit', 'off', false)
