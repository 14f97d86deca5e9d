-- Whoever makes a scratch database keeps a session by its name, in whichever database, until it is
-- dropped: one without such a session belongs to a run that was killed.
SELECT datname
FROM pg_database
WHERE datname ~ '^bdaysched_scratch_[0-9a-f]{12}$'
  AND pg_has_role(datdba, 'USAGE')
  AND NOT EXISTS (
      SELECT FROM pg_stat_activity
      WHERE application_name = pg_database.datname OR pg_stat_activity.datname = pg_database.datname
  )
