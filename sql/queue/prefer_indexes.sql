-- Waiting rows are few in a large table, and last week's statistics may say the opposite: for this
-- session the index on status is the way to them.
SELECT set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false)
