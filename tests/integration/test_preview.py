from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.looking.preview import preview
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES, add_user


def test_a_preview_is_what_planning_does(
    settings: Settings, connection: psycopg.Connection
) -> None:
    tomorrow = NOW + timedelta(days=1)
    for zone in ("Pacific/Kiritimati", "Asia/Kathmandu", "Pacific/Pago_Pago"):
        add_user(connection, zone, f"{tomorrow:%m-%d}", f"{tomorrow:%m-%d}", email=f"{zone}@x")
    gone = add_user(connection, "Asia/Kathmandu", f"{tomorrow:%m-%d}")
    connection.execute("UPDATE users SET deleted_at = now() WHERE id = %s", (gone,))
    add_user(connection, "UTC", f"{tomorrow + timedelta(days=1):%m-%d}")
    found = preview(settings, tomorrow.date(), 1, None)
    plan(connection, NOW, timedelta(hours=48), RULES)
    rows = connection.execute(
        "SELECT message_type, delivery_date, scheduled_send_time, timezone, email, message_content"
        " FROM message_logs JOIN users ON users.id = user_id WHERE delivery_date = %s"
        " ORDER BY scheduled_send_time, email",
        (tomorrow.date(),),
    ).fetchall()
    assert sorted(map(tuple, found)) == sorted(rows)
    assert [message.timezone for message in found[::2]] == [
        "Pacific/Kiritimati",
        "Asia/Kathmandu",
        "Pacific/Pago_Pago",
    ]
    of_one = preview(settings, tomorrow.date(), 1, "Asia/Kathmandu@x")
    assert {message.email for message in of_one} == {"Asia/Kathmandu@x"}
    with pytest.raises(BdayschedError, match="there is no user 'nobody'"):
        preview(settings, tomorrow.date(), 1, "nobody")


def test_a_preview_shows_the_leap_rule(settings: Settings, connection: psycopg.Connection) -> None:
    add_user(connection, birthday="02-29")
    for rule, days in (("feb-28", {28}), ("mar-1", {1}), ("skip", set())):
        found = preview(replace(settings, leap_day=rule), date(2027, 2, 27), 4, None)
        assert {message.delivery_date.day for message in found} == days
