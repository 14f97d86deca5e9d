-- How many rows are under way, and where? A held one waits for a person.
SELECT
    count(*) FILTER (WHERE status = 'QUEUED' AND (lease_expires_at > now()) IS NOT TRUE) AS waiting,
    count(*) FILTER (WHERE status = 'QUEUED' AND lease_expires_at > now()) AS waiting_in_hand,
    count(*) FILTER (WHERE status = 'SENDING' AND lease_expires_at > now()) AS sending,
    count(*) FILTER (
        WHERE status = 'SENDING' AND (lease_expires_at > now()) IS NOT TRUE
    ) AS sending_past_lease,
    count(*) FILTER (
        WHERE status = 'RETRYING' AND (next_attempt_at > now()) IS NOT TRUE
    ) AS retrying_due,
    count(*) FILTER (
        WHERE status = 'RETRYING' AND next_attempt_at > now() AND next_attempt_at < 'infinity'
    ) AS retrying_later,
    count(*) FILTER (WHERE status = 'RETRYING' AND next_attempt_at = 'infinity') AS held,
    min(scheduled_send_time) FILTER (WHERE status = 'QUEUED') AS oldest_queued
FROM message_logs
WHERE status IN ('QUEUED', 'SENDING', 'RETRYING')
