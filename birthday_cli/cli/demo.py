"""The command demo."""

from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import day_picture, options, output, panels
from birthday_cli.cli.options import AsJson
from birthday_cli.errors import ExitCode

if TYPE_CHECKING:
    from birthday_cli.pipeline.rehearsal.demo import Played

_COLUMNS = ("zone", "users", "planned", "delivered", "on_time", "sent_at")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.TRYING)(demo)


def demo(
    users: Annotated[int, typer.Option(min=1, max=100_000, help="How many to invent.")] = 500,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the database to look at.")] = False,
    as_json: AsJson = False,
) -> None:
    """Do the whole job on a private database: a day around the world, delivered and reported.

    Example: bdaysched demo --users 2000 --keep
    """
    from birthday_cli.pipeline.rehearsal.demo import demo

    settings = options.settings()
    today = options.clock(settings).now().date()
    played = demo(settings, today, users, keep, output.tell)
    report = played.report
    if as_json:
        output.print_json(report)
    else:
        _show(played)
    if report.database:
        output.tell(f"kept: DATABASE_URL={report.database} bdaysched status")
    if not report.complete:
        raise typer.Exit(ExitCode.DELIVERIES_FAILED)


def _show(played: "Played") -> None:
    report = played.report
    rows = [
        (
            zone.timezone,
            zone.users,
            zone.planned,
            zone.delivered,
            zone.on_time,
            _sent_at(zone.first_sent, zone.last_sent),
        )
        for zone in report.zones
    ]
    output.print_table(_COLUMNS, rows, title=f"{report.day:%d %B %Y}, by each zone's own clocks")
    planned, delivered, on_time = (
        sum(getattr(zone, name) for zone in report.zones)
        for name in ("planned", "delivered", "on_time")
    )
    users = sum(zone.users for zone in report.zones)
    print(f"{users} users in {len(report.zones)} zones")
    print(f"planned {planned}, delivered {delivered}, on time {on_time}")
    print(f"received {report.received}, duplicates {report.duplicates}")
    day_picture.draw(played)


def _sent_at(first: str | None, last: str | None) -> str | None:
    return first if first == last else f"{first} to {last}"
