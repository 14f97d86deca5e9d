from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain import zones
from birthday_cli.domain.clocks import Change, changes, offset, shown, unusual
from birthday_cli.domain.send_time import instant

days = st.dates(date(2024, 1, 1), date(2032, 12, 31))
names = st.sampled_from(sorted(zones.names()))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_what_a_clock_shows() -> None:
    kathmandu = zones.load("Asia/Kathmandu")
    assert shown(at("2027-02-28T03:15:07Z"), kathmandu) == "2027-02-28 09:00:07"
    assert offset(at("2027-02-28T03:15:07Z"), kathmandu) == "+05:45"
    assert offset(at("2027-02-28T03:15Z"), zones.load("America/St_Johns")) == "-03:30"


def test_the_changes_of_a_year_to_the_second() -> None:
    found = changes(
        at("2027-01-01T00:00:00.5Z"), at("2028-01-01T00:00Z"), zones.load("Europe/Rome")
    )
    assert found == [
        Change(
            at("2027-03-28T01:00Z"),
            "2027-03-28 02:00:00",
            "2027-03-28 03:00:00",
            "+01:00",
            "+02:00",
        ),
        Change(
            at("2027-10-31T01:00Z"),
            "2027-10-31 03:00:00",
            "2027-10-31 02:00:00",
            "+02:00",
            "+01:00",
        ),
    ]


def test_a_change_counts_at_its_own_instant_and_not_before() -> None:
    rome, change = zones.load("Europe/Rome"), at("2027-03-28T01:00Z")
    second = timedelta(seconds=1)
    assert len(changes(change - second, change, rome)) == 1
    assert changes(change, change + timedelta(days=90), rome) == []
    assert changes(change - timedelta(days=90), change - second, rome) == []
    assert changes(change, change, rome) == []


@given(names, days)
def test_offsets_change_at_the_changes_and_nowhere_else(name: str, day: date) -> None:
    zone, start = zones.load(name), datetime.combine(day, time(), UTC)
    found = changes(start, start + timedelta(days=60), zone)
    known = offset(start, zone)
    for hours in range(60 * 24 + 1):
        moment = start + timedelta(hours=hours)
        passed = [change for change in found if change.at <= moment]
        assert offset(moment, zone) == (passed[-1].offset_after if passed else known)


@pytest.mark.parametrize(
    ("zone", "day", "time_of_day", "before", "after"),
    [
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), "03-29 02:00", "03-29 03:00"),
        ("Europe/Berlin", date(2026, 10, 25), time(2), "10-25 03:00", "10-25 02:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 29), "10-04 02:00", "10-04 02:30"),
        ("America/Havana", date(2026, 3, 8), time(0, 30), "03-08 00:00", "03-08 01:00"),
        # The whole day was left out.
        ("Pacific/Apia", date(2011, 12, 30), time(9), "12-30 00:00", "12-31 00:00"),
    ],
)
def test_a_time_that_a_change_leaves_out_or_repeats(
    zone: str, day: date, time_of_day: time, before: str, after: str
) -> None:
    found = unusual(day, time_of_day, zones.load(zone))
    assert found
    assert found.clock_before == f"{day.year}-{before}:00"
    assert found.clock_after == f"{day.year}-{after}:00"


@pytest.mark.parametrize("time_of_day", [time(1, 59), time(3), time(9)])
def test_any_other_time_of_that_day_is_usual(time_of_day: time) -> None:
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        assert unusual(day, time_of_day, zones.load("Europe/Berlin")) is None


@given(names, days, st.times().map(lambda found: found.replace(microsecond=0)))
def test_a_time_is_unusual_where_going_there_and_back_differs(
    name: str, day: date, time_of_day: time
) -> None:
    zone = zones.load(name)
    moment = instant(day, time_of_day, zone)
    found = unusual(day, time_of_day, zone)
    local = datetime.combine(day, time_of_day)
    if shown(moment, zone) != f"{local:%Y-%m-%d %H:%M:%S}":
        assert found
        assert found.clock_before <= str(local) < found.clock_after
    elif found:
        assert found.clock_after <= str(local) < found.clock_before
