-- Who looks waits for nobody's lock.
SELECT set_config('lock_timeout', '2s', false)
