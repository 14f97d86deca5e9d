"""The day as a picture: a row for each hour of UTC, whatever the zones are."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from birthday_cli.cli.day_picture import hours
from birthday_cli.pipeline.rehearsal.demo import ZoneReport


def zone(name: str, planned: int, delivered: int, send_time: str | None) -> ZoneReport:
    at = datetime.fromisoformat(send_time).replace(tzinfo=UTC) if send_time else None
    return ZoneReport(name, 20, planned, delivered, delivered, at, "09:00", "09:00")


def drawn(*zones: ZoneReport) -> list[str]:
    console = Console(file=io.StringIO(), width=80, no_color=True)
    console.print(hours(zones))
    written = console.file.getvalue()  # type: ignore[attr-defined]
    return [" ".join(line.split()) for line in written.splitlines()[2:]]


def test_hours_run_on_from_the_first_morning_to_the_last_and_over_midnight() -> None:
    told = drawn(
        zone("Pacific/Chatham", 4, 4, "2026-11-22T21:15"),
        zone("Pacific/Auckland", 4, 4, "2026-11-22T21:00"),
        zone("Asia/Tokyo", 4, 4, "2026-11-23T00:00"),
        zone("Antarctica/Vostok", 0, 0, None),
    )
    assert told == [
        f"22 Nov 21h {'█' * 24} 8 8 Chatham, Auckland",
        "22h 0 0",
        "23h 0 0",
        f"23 Nov 00h {'█' * 12} 4 4 Tokyo",
    ]


def test_what_was_planned_and_not_sent_is_seen() -> None:
    (told,) = drawn(zone("America/Argentina/San_Luis", 8, 6, "2026-11-23T12:00"))
    assert told == f"23 Nov 12h {'█' * 18}{'░' * 6} 8 6 San Luis"


def test_a_day_on_which_nobody_celebrates_has_no_hours() -> None:
    assert drawn(zone("Asia/Tokyo", 0, 0, None)) == []
