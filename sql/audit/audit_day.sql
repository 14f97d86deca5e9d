-- The books of one type and local date: everyone who is to get a message, reckoned anew from the
-- users, against the messages that there are. One line for each verdict.
WITH celebrating AS (
    SELECT
        users.id AS user_id, users.created_at AS added_at, users.updated_at,
        calendar.scheduled_send_time, calendar.day_ends_at, calendar.is_planned
    FROM unnest(
        %(month_days)s::text[], %(timezones)s::text[], %(scheduled_send_times)s::timestamptz[],
        %(day_ends_ats)s::timestamptz[], %(are_planned)s::boolean[]
    ) AS calendar (month_day, timezone, scheduled_send_time, day_ends_at, is_planned)
    JOIN users ON users.{date_column} = calendar.month_day AND users.timezone = calendar.timezone
    WHERE users.deleted_at IS NULL
      AND users.{date_column} = ANY (%(month_days_in_use)s)
),
written AS (
    SELECT
        id, user_id, status, scheduled_send_time, expires_at, actual_send_time, created_at,
        row_number() OVER (PARTITION BY user_id ORDER BY created_at, id) AS nth
    FROM message_logs
    WHERE scheduled_send_time >= %(since)s
      AND scheduled_send_time < %(until)s
      AND message_type = {message_type}
      AND delivery_date = %(delivery_date)s
),
noted AS (
    SELECT DISTINCT user_id FROM changed_users
),
compared AS (
    SELECT
        coalesce(celebrating.user_id, written.user_id) AS user_id,
        written.status, written.expires_at, written.actual_send_time, written.nth,
        celebrating.scheduled_send_time AS expected,
        written.scheduled_send_time AS found,
        noted.user_id IS NOT NULL AS is_noted,
        written.id IS NOT NULL AS is_written,
        -- Whether the user may have been another when the message was planned, or at the time.
        users.updated_at > written.created_at AS changed_since_planned,
        celebrating.added_at >= celebrating.day_ends_at
            OR celebrating.updated_at >= celebrating.day_ends_at AS changed_since_the_day,
        celebrating.is_planned,
        celebrating.day_ends_at > %(now)s AS day_goes_on
    FROM celebrating
    FULL JOIN written USING (user_id)
    JOIN users ON users.id = coalesce(celebrating.user_id, written.user_id)
    LEFT JOIN noted ON noted.user_id = users.id
),
judged AS (
    SELECT
        *,
        CASE
            WHEN NOT is_written THEN
                CASE
                    WHEN changed_since_the_day OR NOT is_planned THEN 'none'
                    WHEN EXISTS (
                        SELECT FROM message_logs AS elsewhere
                        WHERE elsewhere.idempotency_key
                            = message_key(compared.user_id, {message_type}, %(delivery_date)s)
                    ) THEN 'moved'
                    WHEN is_noted AND day_goes_on THEN 'waiting'
                    ELSE 'gap'
                END
            WHEN nth > 1 THEN 'duplicate'
            WHEN status = 'SCHEDULED' AND found IS DISTINCT FROM expected THEN
                CASE WHEN is_noted THEN 'fine' WHEN expected IS NULL THEN 'extra' ELSE 'moved' END
            WHEN found IS DISTINCT FROM expected AND NOT changed_since_planned THEN
                CASE WHEN expected IS NULL THEN 'extra' ELSE 'moved' END
            WHEN status NOT IN ('SENT', 'FAILED') AND expires_at <= %(now)s THEN 'overdue'
            WHEN actual_send_time < found THEN 'early'
            ELSE 'fine'
        END AS verdict
    FROM compared
)
SELECT
    judged.verdict,
    count(*) FILTER (WHERE judged.status = 'SENT') AS sent,
    count(*) FILTER (WHERE judged.status = 'FAILED') AS failed,
    count(*) FILTER (WHERE judged.status NOT IN ('SENT', 'FAILED') OR judged.verdict = 'waiting')
        AS pending,
    count(*) AS counted,
    (array_agg(judged.user_id ORDER BY judged.user_id) FILTER (WHERE judged.verdict <> 'fine'))
        [1:%(limit)s] AS user_ids,
    (array_agg(users.email ORDER BY judged.user_id) FILTER (WHERE judged.verdict <> 'fine'))
        [1:%(limit)s] AS emails,
    (array_agg(judged.expected ORDER BY judged.user_id) FILTER (WHERE judged.verdict <> 'fine'))
        [1:%(limit)s] AS expected,
    (array_agg(judged.found ORDER BY judged.user_id) FILTER (WHERE judged.verdict <> 'fine'))
        [1:%(limit)s] AS found
FROM judged
JOIN users ON users.id = judged.user_id
WHERE judged.verdict <> 'none'
GROUP BY judged.verdict
