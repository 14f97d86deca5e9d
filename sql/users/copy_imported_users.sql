COPY imported_users (
    first_name, last_name, email, timezone,
    birthday_date, anniversary_date, location_city, location_country
) FROM STDIN
