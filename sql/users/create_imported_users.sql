-- Where a batch of an import waits to be merged; gone with the connection.
CREATE TEMPORARY TABLE IF NOT EXISTS imported_users (
    line              bigint GENERATED ALWAYS AS IDENTITY,
    first_name        text,
    last_name         text,
    email             text,
    timezone          text,
    birthday_date     text,
    anniversary_date  text,
    location_city     text,
    location_country  text
) ON COMMIT DELETE ROWS
