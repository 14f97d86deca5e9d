from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain import zones
from birthday_cli.domain.send_time import end_of_local_day, instant, local_day

NINE = time(9)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("Asia/Kathmandu", date(2026, 5, 1), NINE, "2026-05-01T03:15Z"),
        ("Pacific/Kiritimati", date(2026, 3, 1), NINE, "2026-02-28T19:00Z"),
        ("Etc/GMT+12", date(2026, 2, 28), NINE, "2026-02-28T21:00Z"),
        ("Europe/Berlin", date(2026, 3, 28), NINE, "2026-03-28T08:00Z"),
        ("Europe/Berlin", date(2026, 3, 29), NINE, "2026-03-29T07:00Z"),
        # In the gap of 29 March 2026 the clocks go from 2:00 to 3:00: it moves to 3:30.
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "2026-03-29T01:30Z"),
        # 2:30 comes twice on 25 October 2026: the first counts.
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), "2026-10-25T00:30Z"),
        # Samoa had no 30 December 2011: 9:00 of the 31st.
        ("Pacific/Apia", date(2011, 12, 30), NINE, "2011-12-30T19:00Z"),
    ],
)
def test_the_instant_of_a_local_time(zone: str, day: date, at: time, expected: str) -> None:
    assert instant(day, at, zones.load(zone)) == datetime.fromisoformat(expected)


def test_a_day_that_does_not_exist_is_over_at_the_end_of_the_next() -> None:
    apia = zones.load("Pacific/Apia")
    sent = instant(date(2011, 12, 30), NINE, apia)
    assert local_day(sent, apia) == date(2011, 12, 31)
    assert end_of_local_day(sent, apia) == sent + timedelta(hours=15)


@given(st.sampled_from(sorted(zones.names())), st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_a_morning_lies_in_its_own_day_before_its_end(name: str, day: date) -> None:
    zone = zones.load(name)
    morning = instant(day, NINE, zone)
    assert morning.tzinfo is UTC
    local = morning.astimezone(zone)
    assert (local.date(), local.time()) == (day, NINE)
    assert timedelta(hours=13) < end_of_local_day(morning, zone) - morning < timedelta(hours=17)


def test_an_unknown_zone_is_a_key_error() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "europe/berlin", "localtime"):
        with pytest.raises(KeyError):
            zones.load(name)
