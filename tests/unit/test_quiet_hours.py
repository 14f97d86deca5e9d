from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from birthday_cli.config import Settings
from birthday_cli.domain import quiet_hours, rules, zones
from birthday_cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "quiet", "loud"),
    [
        ("22:00-08:00", ["22:00", "23:59", "00:00", "03:00", "07:59"], ["08:00", "21:59"]),
        ("00:00-08:00", ["00:00", "03:00", "07:59"], ["08:00", "23:59"]),
        ("12:30-13:00", ["12:30", "12:59"], ["12:29", "13:00", "00:00"]),
    ],
)
def test_the_start_is_quiet_and_the_end_is_not(
    text: str, quiet: list[str], loud: list[str]
) -> None:
    hours = quiet_hours.parse(text)
    assert hours is not None
    assert str(hours) == text
    assert all(hours.holds(time.fromisoformat(at)) for at in quiet)
    assert not any(hours.holds(time.fromisoformat(at)) for at in loud)


@pytest.mark.parametrize("text", ["", "22-8", "22:00", "24:00-08:00", "22:00-08:60", "8:00-8:00"])
def test_what_is_not_a_span(text: str) -> None:
    with pytest.raises(ValueError, match="such as 22:00-08:00"):
        quiet_hours.parse(text)
    with pytest.raises(UsageError, match=r"QUIET_HOURS=.*such as 22:00-08:00"):
        rules.of(Settings(quiet_hours=text))


def test_an_empty_span_and_none() -> None:
    with pytest.raises(ValueError, match="write off"):
        quiet_hours.parse("08:00-08:00")
    assert quiet_hours.parse("off") is None
    assert rules.of(Settings(quiet_hours="off")).quiet_zones(datetime.now(UTC)) == []


def test_it_is_quiet_where_it_is_night() -> None:
    hours = quiet_hours.QuietHours(time(0), time(8))
    moment = datetime(2027, 3, 14, 7, 30, 59, tzinfo=UTC)
    quiet = set(hours.zones_at(moment))
    assert {"UTC", "Europe/London", "America/New_York"} <= quiet
    assert not {"Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles"} & quiet
    assert quiet == {name for name in zones.names() if moment.astimezone(zones.load(name)).hour < 8}
    assert "Europe/London" not in hours.zones_at(moment + timedelta(minutes=30))


def test_every_type_must_be_sent_outside_of_them() -> None:
    with pytest.raises(UsageError, match="BIRTHDAY is sent at 09:00, within QUIET_HOURS"):
        rules.of(Settings(quiet_hours="08:00-09:01"))
    assert rules.of(Settings(quiet_hours="10:00-09:00")).quiet_hours


def test_the_look_back_reaches_as_far_as_the_lateness() -> None:
    assert rules.of(Settings()).look_back == timedelta(days=3)
    assert rules.of(Settings(max_lateness=5 * 86_400)).look_back == timedelta(days=6)
