-- Inserts the messages of one type that some users lack, on the mornings that have been planned. A
-- morning whose day was over when the user was added or changed is none of theirs. OFFSET 0 keeps
-- look-ups by key what they are, whatever the server believes of the tables' sizes.
WITH inserted AS (
    INSERT INTO message_logs (
        user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at,
        status, error_message
    )
    SELECT
        users.id, {message_type}, {message_content},
        calendar.delivery_date, calendar.scheduled_send_time, calendar.expires_at,
        CASE WHEN calendar.expires_at > %(now)s THEN 'SCHEDULED' ELSE 'FAILED' END,
        CASE WHEN calendar.expires_at <= %(now)s THEN %(missed)s END
    FROM unnest(%(user_ids)s::uuid[], %(changed_ats)s::timestamptz[]) AS changed (user_id, changed_at)
    CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = changed.user_id OFFSET 0) AS users
    JOIN unnest(
        %(delivery_dates)s::date[], %(month_days)s::text[], %(timezones)s::text[],
        %(scheduled_send_times)s::timestamptz[], %(expires_ats)s::timestamptz[],
        %(matter_untils)s::timestamptz[]
    ) AS calendar (delivery_date, month_day, timezone, scheduled_send_time, expires_at, matters_until)
        ON users.{date_column} = calendar.month_day AND users.timezone = calendar.timezone
    WHERE users.deleted_at IS NULL
      AND calendar.matters_until > changed.changed_at
      AND NOT EXISTS (
          SELECT FROM message_guard AS guard
          WHERE guard.delivery_date = calendar.delivery_date
            AND guard.user_id = users.id
            AND guard.delivery_date = ANY (%(days_in_use)s)
            AND guard.message_type = {message_type}
          OFFSET 0
      )
    RETURNING status
)
SELECT count(*), count(*) FILTER (WHERE status = 'FAILED') FROM inserted
