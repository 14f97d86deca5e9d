-- Who is the user with an id, deleted or not, or with an e-mail, not deleted? With the months and
-- days in the order of the message types, and since when planning has still to look at a change.
SELECT
    id, first_name, last_name, email, timezone, location_city, location_country,
    created_at, updated_at, deleted_at,
    (SELECT min(changed_at) FROM changed_users WHERE user_id = users.id) AS changed_at,
    ARRAY[{date_columns}]::text[] AS month_days
FROM users
WHERE id = %(id)s
   OR (email = %(email)s AND deleted_at IS NULL)
