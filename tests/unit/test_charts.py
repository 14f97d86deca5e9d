"""Where the lines and bars of studio's day stand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from birthday_cli.pipeline.looking.day import QUARTERS, Day, Morning
from birthday_cli.studio import charts
from birthday_cli.studio.charts import Span

START = datetime(2027, 3, 10, tzinfo=UTC)


def morning(hour: int, **by_zone: int) -> Morning:
    """Return one of SENT messages; a zone is written like Asia__Tokyo."""
    return Morning(
        START + timedelta(hours=hour),
        {zone.replace("__", "/"): Counter(SENT=count) for zone, count in by_zone.items()},
    )


def a_day(*mornings: Morning) -> Day:
    return Day(START, list(mornings), [0] * QUARTERS, [0] * QUARTERS, None, estimated=False)


def test_zones_with_another_day_have_another_line() -> None:
    day = a_day(morning(20, Pacific__Pago_Pago=3, Pacific__Auckland=5, Pacific__Tongatapu=7))
    now = START + timedelta(hours=12, minutes=30)
    found = [
        (row.zones, row.offset, row.clock, row.planned) for row in charts.world_clock(day, now)
    ]
    assert found == [
        (["Pacific/Tongatapu", "Pacific/Auckland"], "+13:00", "01:30", 12),
        (["Pacific/Pago_Pago"], "-11:00", "01:30", 3),
    ]


def test_a_line_names_the_zones_with_the_most_messages() -> None:
    day = a_day(morning(8, Europe__Rome=1, Europe__Berlin=9, Africa__Lagos=5, Europe__Oslo=5))
    (row,) = charts.world_clock(day, START)
    assert row.zones == ["Europe/Berlin", "Africa/Lagos", "Europe/Oslo"]
    assert row.more == 1
    assert row.all_zones == "Europe/Berlin 9, Africa/Lagos 5, Europe/Oslo 5, Europe/Rome 1"


@pytest.mark.parametrize(
    ("by_status", "state", "still_open"),
    [
        ({"SENT": 3}, "SENT", 0),
        ({"SENT": 3, "SENDING": 1}, "SCHEDULED", 1),
        ({"SENT": 3, "FAILED": 1, "QUEUED": 2}, "FAILED", 2),
    ],
)
def test_what_became_of_a_line(by_status: dict[str, int], state: str, still_open: int) -> None:
    day = a_day(Morning(START, {"Asia/Tokyo": Counter(by_status)}))
    (row,) = charts.world_clock(day, START)
    assert (row.state, row.open) == (state, still_open)


def test_night_is_from_nine_in_the_evening_to_six_by_their_clock() -> None:
    rows = charts.world_clock(a_day(morning(9, Europe__London=1), morning(0, Asia__Tokyo=1)), START)
    assert rows[0].nights == [Span(0, 360), Span(1260, 180)]
    # 21:00 in Tokyo is noon in London.
    assert rows[1].nights == [Span(720, 540)]


def test_a_line_ends_now() -> None:
    assert charts.line([2, 4, 4], most=4) == "0,100.00 15,50.00 30,0.00 45,0.00"
    assert charts.line([2, 4, 4], most=4, until=20) == "0,100.00 15,50.00 20,0.00"
    assert charts.line([0, 0], most=0, until=0) == "0,100.00"


def test_a_column_is_as_high_as_its_share_of_the_busiest_instant() -> None:
    half = Morning(START, {"Asia/Tokyo": Counter(SENT=3, FAILED=1), "Asia/Seoul": Counter(SENT=1)})
    bars = charts.columns(a_day(half, morning(24, Asia__Tokyo=10)))
    assert [(bar.status, bar.y, bar.height) for bar in bars] == [
        ("SENT", 60, 40),
        ("FAILED", 50, 10),
        ("SENT", 0, 100),
    ]
    assert bars[-1].x + bars[-1].width == charts.MINUTES


def test_a_status_that_occurs_is_seen_however_few_it_has() -> None:
    bars = charts.shares({"SENT": 1_000_000, "FAILED": 1}, longest=1_000_001)
    assert [bar.status for bar in bars] == ["SENT", "FAILED"]
    assert bars[-1].width >= 1
    assert bars[-1].x + bars[-1].width == pytest.approx(100)
