"""The instants of local times, against what clocks show at instants: the opposite reckoning."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birthday_cli.domain import zones
from birthday_cli.domain.send_time import end_of_local_day, instant, local_day

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Everyone's run tries the same examples.
same = settings(derandomize=True, deadline=None, max_examples=200)

names = st.sampled_from(sorted(zones.names()))
days = st.dates(date(1970, 1, 1), date(2037, 12, 31))
minutes = st.integers(0, 24 * 60 - 1).map(lambda count: time(*divmod(count, 60)))
times = minutes | st.times().map(lambda at: at.replace(fold=0))


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def ahead(moment: datetime, zone: ZoneInfo) -> timedelta:
    return shown(moment, zone) - moment.replace(tzinfo=None)


def showing(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return every instant at which clocks show wall."""
    around = [wall.replace(tzinfo=UTC) + HOUR * count for count in range(-26, 27)]
    candidates = {wall.replace(tzinfo=UTC) - ahead(moment, zone) for moment in around}
    return sorted(moment for moment in candidates if shown(moment, zone) == wall)


@cache
def changes(name: str) -> list[datetime]:
    """Return the first instants of other offsets, as far as they last for four weeks."""
    zone, found = zones.load(name), []
    steps = [datetime(1970, 1, 1, tzinfo=UTC) + 28 * DAY * count for count in range(68 * 13)]
    for low, high in pairwise(steps):
        before = ahead(low, zone)
        if ahead(high, zone) != before:
            while high - low > SECOND:
                middle = low + (high - low) // SECOND // 2 * SECOND
                low, high = (middle, high) if ahead(middle, zone) == before else (low, middle)
            found.append(high)
    return found


changing = names.filter(changes).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(changes(name)))
)


def test_gaps_and_folds_are_among_what_is_tried() -> None:
    berlin = [change.astimezone(zones.load("Europe/Berlin")) for change in changes("Europe/Berlin")]
    assert [f"{change:%m-%d %H:%M}" for change in berlin if change.year == 2026] == [
        "03-29 03:00",
        "10-25 02:00",
    ]


@same
@given(names, days, times)
def test_clocks_show_the_wanted_time_or_one_moved_forward(name: str, day: date, at: time) -> None:
    check(datetime.combine(day, at), zones.load(name))


@same
@given(changing, st.integers(-30 * 3600, 30 * 3600))
def test_so_they_do_around_a_change_of_the_clocks(
    change: tuple[str, datetime], seconds: int
) -> None:
    name, moment = change
    check(shown(moment, zones.load(name)) + SECOND * seconds, zones.load(name))


@same
@given(changing, st.data())
def test_so_they_do_in_a_gap_or_fold(change: tuple[str, datetime], data: st.DataObject) -> None:
    name, moment = change
    zone = zones.load(name)
    ends = sorted([shown(moment - SECOND, zone) + SECOND, shown(moment, zone)])
    wall = ends[0] + SECOND * data.draw(st.integers(0, (ends[1] - ends[0]) // SECOND - 1))
    assert len(showing(wall, zone)) in {0, 2}
    check(wall, zone)


def check(wall: datetime, zone: ZoneInfo) -> None:
    sent = instant(wall.date(), wall.time(), zone)
    assert sent.tzinfo is UTC
    if existing := showing(wall, zone):
        assert sent == existing[0]
        return
    # The clocks jumped over it, by as much as their offset grew.
    before, after = ahead(sent - DAY, zone), ahead(sent, zone)
    assert after > before
    assert shown(sent, zone) == wall + (after - before)
    if local_day(sent, zone) != wall.date():
        assert not showing(datetime.combine(wall, time(23, 59, 59)), zone)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Fakaofo", date(2011, 12, 30)),
        ("Pacific/Kiritimati", date(1994, 12, 31)),
        ("Pacific/Kanton", date(1994, 12, 31)),
        ("Pacific/Kwajalein", date(1993, 8, 21)),
    ],
)
@same
@given(at=times)
def test_a_day_that_does_not_exist_is_the_next_one(name: str, missing: date, at: time) -> None:
    zone = zones.load(name)
    assert showing(datetime.combine(missing, at), zone) == []
    sent = instant(missing, at, zone)
    assert sent == instant(missing + DAY, at, zone)
    assert shown(sent, zone) == datetime.combine(missing + DAY, at)
    eve = instant(missing - DAY, at, zone)
    assert end_of_local_day(eve, zone) == instant(missing + DAY, time(), zone)
    assert end_of_local_day(sent, zone) == instant(missing + 2 * DAY, time(), zone)


@same
@given(names, days, times)
def test_a_day_ends_with_the_first_instant_of_the_next(name: str, day: date, at: time) -> None:
    check_end(instant(day, at, zones.load(name)), zones.load(name))


@same
@given(changing, times, st.integers(-2, 1))
def test_so_does_a_day_on_which_the_clocks_change(
    change: tuple[str, datetime], at: time, days_later: int
) -> None:
    name, moment = change
    day = local_day(moment, zones.load(name)) + DAY * days_later
    check_end(instant(day, at, zones.load(name)), zones.load(name))


def check_end(moment: datetime, zone: ZoneInfo) -> None:
    end = end_of_local_day(moment, zone)
    assert end > moment
    assert local_day(end, zone) > local_day(moment, zone)
    assert local_day(end - timedelta.resolution, zone) == local_day(moment, zone)


@same
@given(names, st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_thirteen_to_seventeen_hours_of_the_day_are_left_in_the_morning(
    name: str, day: date
) -> None:
    zone = zones.load(name)
    morning = instant(day, time(9), zone)
    assert timedelta(hours=13) < end_of_local_day(morning, zone) - morning < timedelta(hours=17)
