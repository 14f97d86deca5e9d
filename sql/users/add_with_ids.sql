INSERT INTO users (
    id, first_name, last_name, email, timezone,
    birthday_date, anniversary_date, location_city, location_country
)
SELECT *
FROM unnest(
    %(ids)s::uuid[], %(first_name)s::text[], %(last_name)s::text[], %(email)s::text[],
    %(timezone)s::text[], %(birthday_date)s::text[], %(anniversary_date)s::text[],
    %(location_city)s::text[], %(location_country)s::text[]
)
ON CONFLICT DO NOTHING
