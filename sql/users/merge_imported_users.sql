-- Adds the users who are not there and brings the others up to date, by e-mail. Where an e-mail
-- comes twice the later line holds.
WITH merged AS (
    INSERT INTO users (
        first_name, last_name, email, timezone,
        birthday_date, anniversary_date, location_city, location_country
    )
    SELECT DISTINCT ON (email)
        first_name, last_name, email, timezone,
        birthday_date, anniversary_date, location_city, location_country
    FROM imported_users
    ORDER BY email, line DESC
    ON CONFLICT (email) WHERE deleted_at IS NULL DO UPDATE
    SET first_name = excluded.first_name,
        last_name = excluded.last_name,
        timezone = excluded.timezone,
        birthday_date = excluded.birthday_date,
        anniversary_date = excluded.anniversary_date,
        location_city = excluded.location_city,
        location_country = excluded.location_country,
        updated_at = now()
    WHERE (
        users.first_name, users.last_name, users.timezone, users.birthday_date,
        users.anniversary_date, users.location_city, users.location_country
    ) IS DISTINCT FROM (
        excluded.first_name, excluded.last_name, excluded.timezone, excluded.birthday_date,
        excluded.anniversary_date, excluded.location_city, excluded.location_country
    )
    RETURNING xmax = 0 AS added
)
SELECT count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added) FROM merged
