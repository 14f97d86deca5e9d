"""The commands that show how things are: status, monitor."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from birthday_cli.cli import options, output, panels, watching
from birthday_cli.cli.options import AsJson
from birthday_cli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from birthday_cli.config import Settings
    from birthday_cli.pipeline.looking.monitor import Table
    from birthday_cli.pipeline.looking.status import Status

Watch = Annotated[
    str | None,
    typer.Option("--watch", metavar="SECONDS", help="Stay, and draw it again that often."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.LOOKING)(status)
    app.command(rich_help_panel=panels.LOOKING)(monitor)


def status(watch: Watch = None, as_json: AsJson = False) -> None:
    """Show on one screen whether all is well, and how things are; what is wrong comes first.

    Example: bdaysched status --watch 5
    """
    from birthday_cli.cli.status_screen import screen, sentences, verdict
    from birthday_cli.pipeline.looking import monitor
    from birthday_cli.pipeline.looking.status import status as ask

    settings = options.settings()
    clock = options.clock(settings)
    if watch is None:
        now = clock.now()
        found = ask(settings, now)
        if as_json:
            output.print_json(_as_document(found))
        elif output.is_terminal():
            output.print_drawn(screen(found, now))
        else:
            rows = [("verdict", verdict(found)), *sentences(found, now)]
            output.print_table(("what", "state"), rows)
        return
    seconds = _interval(watch, as_json)
    with monitor.held(settings) as (held, cache):

        def draw(found: "Status", before: "Status | None", _lines: int) -> "RenderableType":
            return screen(found, clock.now(), before)

        watching.watch(seconds, lambda: ask(held, clock.now(), cache), draw)


def _as_document(found: "Status") -> dict[str, Any]:
    from dataclasses import asdict

    document = asdict(found)
    return {
        "verdict": "wrong" if found.problems else "well",
        "problems": document["problems"],
        **document["figures"],
    }


def monitor(
    name: Annotated[
        str | None, typer.Argument(help="partitions, indexes, connections, …", show_default=False)
    ] = None,
    watch: Watch = None,
    as_json: AsJson = False,
) -> None:
    """Show one monitoring table; without a name, which there are.

    With --watch what has changed is set off, and q ends it.

    Example: bdaysched monitor partitions
    """
    from birthday_cli.pipeline.looking import monitor

    if name is None:
        if watch:
            raise UsageError("--watch needs the name of a table, such as `monitor queue --watch 2`")
        known = monitor.tables()
        if as_json:
            output.print_json(known)
        else:
            output.print_table(("name", "shows"), known.items())
        return
    settings = options.settings()
    clock = options.clock(settings)
    if watch:
        _watch_table(settings, name, _interval(watch, as_json), clock.now)
        return
    table = monitor.table(settings, name, clock.now())
    if as_json:
        output.print_json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    elif table.columns:
        output.print_table(table.columns, table.rows, title=table.title)
    if table.note:
        output.tell(table.note)
    elif not table.rows and not as_json and output.is_terminal():
        output.tell("nothing to show")


def _interval(watch: str, as_json: bool) -> float:
    watching.require_terminal(as_json)
    seconds = options.seconds("--watch", watch)
    if seconds <= 0:
        raise UsageError("--watch: give at least a part of a second, such as 0.5")
    return seconds


def _watch_table(
    settings: "Settings", name: str, seconds: float, now: "Callable[[], datetime]"
) -> None:
    from birthday_cli.pipeline.looking import monitor

    with monitor.held(settings) as (held, cache):
        watching.watch(seconds, lambda: monitor.table(held, name, now(), cache), draw_table)


def draw_table(table: "Table", before: "Table | None", lines: int) -> "RenderableType":
    """Return table to be drawn within so many lines, with what is new since before set off.

    A row is known again by its first cell.
    """
    from rich.console import Group
    from rich.text import Text

    if not table.rows:
        return Group(Text(table.title), Text(table.note or "nothing to show"))
    known = {row[0]: row for row in before.rows} if before else None

    def is_new(row: Sequence[Any], index: int) -> bool:
        return known is not None and (row[0] not in known or known[row[0]][index] != row[index])

    # Title, headings and rule.
    room = max(lines - 3, 1)
    drawn = output.rich_table(table.columns, table.rows[:room], table.title, is_new)
    if len(table.rows) <= room:
        return drawn
    left_out = f"and {len(table.rows) - room} rows more: leave --watch out to see them"
    return Group(drawn, Text(left_out))
