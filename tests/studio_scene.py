"""A day to look at: users all over the world, what was sent to them, and what went wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from birthday_cli.config import Settings
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.sample import PLACES
from birthday_cli.pipeline.schema.migrate import migrate
from birthday_cli.pipeline.users.seed import seed
from tests.facts import add_user

DAY = datetime(2027, 3, 10, tzinfo=UTC)
NOW = DAY.replace(hour=14, minute=3)
USERS = 1_200
SCRIPT = "<script>document.title='taken over'</script><img src=x onerror=alert(1)>"
"""A first name that is to stay one."""

# What is due by now was sent within seconds, at one instant within a minute; or it was not.
_PAST = """
WITH due AS (
    SELECT id, scheduled_send_time AS at, abs(hashtext(idempotency_key)) %% 1000 AS chance
    FROM message_logs
    WHERE scheduled_send_time >= %(since)s AND scheduled_send_time <= %(now)s
      AND status = 'SCHEDULED'
)
UPDATE message_logs AS message
SET status = CASE WHEN chance < 992 THEN 'SENT' ELSE 'FAILED' END,
    actual_send_time = CASE WHEN chance < 992 THEN
        at + make_interval(secs => 0.2 + chance / 250.0)
         + make_interval(secs => CASE WHEN extract(hour FROM at) = 8 THEN chance / 20.0 ELSE 0 END)
        END,
    api_response_code = CASE WHEN chance < 992 THEN 202 ELSE 410 END,
    error_message = CASE WHEN chance >= 992 THEN 'rejected with 410: the mailbox is closed' END,
    attempts = CASE WHEN chance >= 992 THEN jsonb_build_array(jsonb_build_object(
        'ended_at', to_char(at + interval '2 s', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'outcome', 'permanent', 'code', 410, 'error', NULL)) END,
    created_at = at - interval '47 h',
    updated_at = at + interval '3 s'
FROM due
WHERE message.id = due.id
"""
_UNDER_WAY = """
WITH latest AS (
    SELECT id, row_number() OVER (ORDER BY scheduled_send_time DESC, id) AS n
    FROM message_logs
    WHERE scheduled_send_time <= %(now)s AND status = 'SENT'
    LIMIT 9
)
UPDATE message_logs AS message
SET status = (ARRAY['RETRYING', 'RETRYING', 'RETRYING', 'SENDING', 'SENDING'])[1 + n %% 5],
    actual_send_time = NULL,
    api_response_code = NULL,
    retry_count = 1,
    next_attempt_at = CASE n %% 5 WHEN 0 THEN 'infinity'::timestamptz
                                 WHEN 1 THEN now() + interval '1 h'
                                 WHEN 2 THEN now() + interval '2 h' END,
    lease_expires_at = CASE n %% 5 WHEN 3 THEN now() + interval '1 h' WHEN 4 THEN now() END,
    error_message = CASE n %% 5 WHEN 0 THEN 'no answer within 10 s; it may have been delivered'
                                WHEN 1 THEN 'answered 503' WHEN 2 THEN 'answered 503' END
FROM latest
WHERE message.id = latest.id
"""
_FLEET = """
INSERT INTO heartbeats (id, kind, host, pid, version, stale_at, state, done, rate)
VALUES
    (gen_random_uuid(), 'worker', 'send-1', 4711, '0.1.0', now() + interval '1 h', 'delivering',
     18422, 210.5),
    (gen_random_uuid(), 'worker', 'send-2', 4712, '0.1.0', now() + interval '1 h', 'delivering',
     18377, 208.1),
    (gen_random_uuid(), 'scheduler', 'plan-1', 1, '0.1.0', now() + interval '1 h',
     'done: 31 queued', 31, NULL)
"""


def seen(url: str) -> Settings:
    """Return settings that see the day at NOW."""
    return Settings(database_url=url, bdaysched_now=NOW.isoformat())


def play(url: str) -> None:
    """Migrate an empty database, and fill it with the day."""
    settings = seen(url)
    migrate(settings, DAY)
    celebrating = {zone: f"{DAY:%m-%d}" for zone, *_ in PLACES}
    seed(settings, DAY, USERS, 7, Profile.MIXED, celebrating)
    with psycopg.connect(url, autocommit=True) as connection:
        add_user(connection, "Europe/London", f"{DAY:%m-%d}", None, SCRIPT, "O'Brien", "b@x.org")
        moments = {"since": DAY - timedelta(days=2), "now": NOW}
        connection.execute(_PAST, moments)
        connection.execute(_UNDER_WAY, moments)
        connection.execute(_FLEET)
        connection.execute("ANALYZE")
