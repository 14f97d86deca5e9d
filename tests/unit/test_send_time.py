from __future__ import annotations

from datetime import date, datetime, time

import pytest

from birthday_cli.domain import zones
from birthday_cli.domain.send_time import instant

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


def test_an_unknown_zone_is_a_key_error() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "europe/berlin", "localtime"):
        with pytest.raises(KeyError):
            zones.load(name)
