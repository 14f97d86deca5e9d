-- The people, their dates and their zones.

-- A month and day without a year. 29 February is one; 30 February is not.
CREATE DOMAIN month_day AS text
    CONSTRAINT check_month_day CHECK (
        VALUE ~ '^((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))$'
    );

-- Every zone that the program's time-zone data knows; `migrate` keeps it filled.
CREATE TABLE time_zones (
    name text PRIMARY KEY
);

CREATE TABLE users (
    id                uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    first_name        text        NOT NULL,
    last_name         text        NOT NULL,
    email             text        NOT NULL,
    timezone          text        NOT NULL,
    birthday_date     month_day,
    anniversary_date  month_day,
    location_city     text,
    location_country  text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    deleted_at        timestamptz,
    CONSTRAINT check_timezone_format CHECK (timezone ~ '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$'),
    CONSTRAINT users_timezone_known FOREIGN KEY (timezone) REFERENCES time_zones (name)
);

CREATE INDEX idx_users_birthday_date ON users (birthday_date)
    WHERE deleted_at IS NULL AND birthday_date IS NOT NULL;
CREATE INDEX idx_users_anniversary_date ON users (anniversary_date)
    WHERE deleted_at IS NULL AND anniversary_date IS NOT NULL;
CREATE INDEX idx_users_birthday_timezone ON users (birthday_date, timezone)
    WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX idx_users_email_unique ON users (email)
    WHERE deleted_at IS NULL;
