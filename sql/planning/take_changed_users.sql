-- Takes some of those who were noted as added or changed, with how long ago that was first. Of new
-- users only those matter who celebrate on one of the days that have been planned.
WITH taken AS (
    DELETE FROM changed_users
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM changed_users LIMIT %(limit)s))
    RETURNING user_id, changed_at, added
),
looked_at AS (
    SELECT user_id, min(changed_at) AS changed_at, bool_and(added) AS added
    FROM taken
    GROUP BY user_id
)
SELECT
    (SELECT count(*) FROM taken),
    coalesce(array_agg(looked_at.user_id), '{{}}'),
    coalesce(array_agg(now() - looked_at.changed_at), '{{}}'),
    coalesce(array_agg(DISTINCT users.timezone), '{{}}'),
    coalesce(array_agg(looked_at.user_id) FILTER (WHERE NOT looked_at.added), '{{}}')
FROM looked_at
CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = looked_at.user_id OFFSET 0) AS users
WHERE NOT looked_at.added OR {celebrates}
