-- Every user who is not deleted, in the form that `users import` reads.
COPY (
    SELECT
        first_name, last_name, email, timezone,
        birthday_date, anniversary_date, location_city, location_country
    FROM users
    WHERE deleted_at IS NULL
    ORDER BY email
) TO STDOUT (FORMAT csv, HEADER)
