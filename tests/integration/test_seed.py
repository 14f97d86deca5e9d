from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.sample import just_past_nine
from birthday_cli.errors import NotUpToDate, UsageError
from birthday_cli.pipeline.users.seed import Seeded, seed
from tests.facts import NOW, statuses


def test_a_hundred_users_with_messages_before_and_after(
    settings: Settings, connection: psycopg.Connection
) -> None:
    done = seed(settings, NOW, 100, 42, Profile.MIXED)
    assert done.users == 100
    counts = statuses(connection)
    assert counts["SENT"] + counts["FAILED"] == done.past_messages > 0
    assert counts["SCHEDULED"] == done.coming_messages > 0
    past, coming, months = connection.execute(
        "SELECT count(*) FILTER (WHERE scheduled_send_time < %(now)s AND status = 'SCHEDULED'),"
        " count(*) FILTER (WHERE scheduled_send_time > %(now)s AND status <> 'SCHEDULED'),"
        " count(DISTINCT tableoid) FROM message_logs",
        {"now": NOW},
    ).fetchone() or (None, None, None)
    # A morning that passed less than a day ago may still be waiting to go out.
    assert past is not None
    assert past < 5
    assert coming == 0
    assert months
    assert months >= 6


def test_the_same_arguments_name_the_same_users_and_add_them_once(
    settings: Settings, connection: psycopg.Connection
) -> None:
    seed(settings, NOW, 50, 42, Profile.EDGES)
    query = "SELECT id, first_name, email, timezone, birthday_date FROM users ORDER BY id"
    first = connection.execute(query).fetchall()
    assert seed(settings, NOW, 50, 42, Profile.EDGES) == Seeded(0, 0, 0)
    assert connection.execute(query).fetchall() == first
    assert seed(settings, NOW, 60, 42, Profile.EDGES).users == 10
    assert seed(settings, NOW, 50, 43, Profile.EDGES).users == 50


def test_due_means_that_messages_are_due_now(
    settings: Settings, connection: psycopg.Connection
) -> None:
    seed(settings, NOW, 100, 42, Profile.MIXED, just_past_nine(NOW))
    row = connection.execute(
        "SELECT count(*) FROM message_logs WHERE status = 'SCHEDULED' AND message_type ="
        " 'BIRTHDAY' AND scheduled_send_time BETWEEN %s - '1 h'::interval AND %s",
        (NOW, NOW),
    ).fetchone()
    assert row
    assert row[0] >= 50


def test_a_burst_is_everybody_at_once(settings: Settings, connection: psycopg.Connection) -> None:
    seed(settings, NOW, 100, 42, Profile.BURST, just_past_nine(NOW))
    row = connection.execute(
        "SELECT count(*) FROM message_logs WHERE message_type = 'BIRTHDAY'"
        " AND scheduled_send_time BETWEEN %s - '1 h'::interval AND %s",
        (NOW, NOW),
    ).fetchone()
    assert row == (100,)


def test_a_dry_run_leaves_nothing(settings: Settings, connection: psycopg.Connection) -> None:
    assert seed(settings, NOW, 10, 42, Profile.MIXED, dry_run=True).users == 10
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_before_migrate_and_with_a_wrong_rule_it_says_so(
    settings: Settings, empty_database: str
) -> None:
    with pytest.raises(NotUpToDate, match="bdaysched migrate"):
        seed(Settings(database_url=empty_database), NOW, 1, 1, Profile.MIXED)
    with pytest.raises(UsageError, match="LEAP_DAY='feb-30'"):
        seed(replace(settings, leap_day="feb-30"), NOW, 1, 1, Profile.MIXED)
