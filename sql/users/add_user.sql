-- Adds one user; nothing comes back when the e-mail is taken.
INSERT INTO users (
    first_name, last_name, email, timezone,
    birthday_date, anniversary_date, location_city, location_country
)
VALUES (
    %(first_name)s, %(last_name)s, %(email)s, %(timezone)s,
    %(birthday_date)s, %(anniversary_date)s, %(location_city)s, %(location_country)s
)
ON CONFLICT (email) WHERE deleted_at IS NULL DO NOTHING
RETURNING id
