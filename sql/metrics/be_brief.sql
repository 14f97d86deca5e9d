-- For this session: who asks every minute waits neither long for a lock nor long for an answer.
SELECT
    set_config('lock_timeout', %(lock_timeout)s, false),
    set_config('statement_timeout', %(statement_timeout)s, false)
