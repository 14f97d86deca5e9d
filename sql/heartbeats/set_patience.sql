-- For this transaction: a beat waits for no lock, and nobody for its commit. One that is lost comes again.
SELECT set_config('lock_timeout', '500ms', true), set_config('synchronous_commit', 'off', true)
