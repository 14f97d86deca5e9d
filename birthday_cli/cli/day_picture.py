"""How a day went, as pictures for a terminal: each hour, the months, and how things stand then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from birthday_cli.cli import output, partitions
from birthday_cli.cli.status_screen import screen

if TYPE_CHECKING:
    from rich.table import Table

    from birthday_cli.pipeline.rehearsal.demo import Played, ZoneReport

_BAR = 24
_HOUR = timedelta(hours=1)


def draw(played: Played) -> None:
    """Print the pictures; off a terminal they are plain text of 80 columns."""
    print("\nThe day around the world: █ sent, ░ planned and not sent")
    output.print_drawn(hours(played.report.zones))
    print("\nThe months with messages: █ sent, x failed, ░ planned and not sent")
    months = [month for month in played.months if month.rows]
    output.print_drawn(output.rich_table(*partitions.bars(months)))
    print(f"\nbdaysched status, at {played.end.astimezone(UTC):%d %B %H:%M}Z")
    output.print_drawn(screen(played.status, played.end))


def hours(zones: Iterable[ZoneReport]) -> Table:
    """Return a row for each hour of UTC from the first morning to the last: what, and where."""
    mornings: dict[datetime, list[ZoneReport]] = {}
    for zone in zones:
        if zone.send_time:
            at = zone.send_time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            mornings.setdefault(at, []).append(zone)
    most = max((sum(zone.planned for zone in hour) for hour in mornings.values()), default=0)
    rows: list[tuple[Any, ...]] = []
    hour = min(mornings, default=None)
    while hour and hour <= max(mornings):
        rows.append(_row(hour, mornings.get(hour, []), most, is_first=not rows))
        hour += _HOUR
    return output.rich_table(("UTC", "messages", "planned", "sent", "where it was 9:00"), rows)


def _row(hour: datetime, zones: list[ZoneReport], most: int, is_first: bool) -> tuple[Any, ...]:
    planned = sum(zone.planned for zone in zones)
    sent = sum(zone.delivered for zone in zones)
    date = f"{hour:%d %b} " if is_first or not hour.hour else " " * 7
    bar = partitions.bar({"SENT": sent, "SCHEDULED": planned - sent}, most, _BAR)
    return f"{date}{hour:%H}h", bar, planned, sent, ", ".join(_city(zone) for zone in zones)


def _city(zone: ZoneReport) -> str:
    return zone.timezone.rpartition("/")[2].replace("_", " ")
