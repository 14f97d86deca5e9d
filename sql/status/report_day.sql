-- One local date, by zone: who there is, who was planned, who was sent, and when by their own clocks.
-- A local date and its morning are never further apart than a day or two, so few months are read.
SELECT
    users.timezone,
    count(DISTINCT users.id) AS users,
    count(message.id) AS planned,
    count(*) FILTER (WHERE message.status = 'SENT') AS delivered,
    count(*) FILTER (
        WHERE message.status = 'SENT'
          AND message.actual_send_time >= message.scheduled_send_time
          AND message.actual_send_time < message.scheduled_send_time + %(on_time)s
    ) AS on_time,
    min(message.scheduled_send_time) AS send_time,
    to_char(min(message.actual_send_time) AT TIME ZONE users.timezone, 'HH24:MI') AS first_sent,
    to_char(max(message.actual_send_time) AT TIME ZONE users.timezone, 'HH24:MI') AS last_sent
FROM users
LEFT JOIN message_logs AS message
    ON message.user_id = users.id
    AND message.delivery_date = %(delivery_date)s
    AND message.scheduled_send_time >= %(delivery_date)s::date - 3
    AND message.scheduled_send_time < %(delivery_date)s::date + 4
WHERE users.deleted_at IS NULL
GROUP BY users.timezone
ORDER BY send_time NULLS LAST, users.timezone
