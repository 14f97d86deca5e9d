"""The command `partitions`: the months as a picture, and whether they reach far enough."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson
from birthday_cli.errors import NotUpToDate

if TYPE_CHECKING:
    from rich.text import Text

    from birthday_cli.pipeline.partitions.runway import Runway
    from birthday_cli.pipeline.partitions.survey import MonthSeen

# One character for each status, so that no colour is needed; in the order of a message's way.
_INK = {
    "SENT": ("█", "green"),
    "FAILED": ("x", "red"),
    "RETRYING": ("r", "yellow"),
    "SENDING": ("s", "magenta"),
    "QUEUED": ("q", "cyan"),
    "SCHEDULED": ("░", "blue"),
}
_COLUMNS = (
    *("partition", "month", "state", "since", "age_months"),
    *("rows", "is_estimate", "total_bytes"),
)
_BESIDE_THE_BAR = 63
_BAR = (8, 40)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=panels.PARTITIONS)(partitions)


def partitions(
    check: Annotated[
        bool, typer.Option("--check", help="Only whether the months reach far enough; 6 if not.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Count all rows, however long that takes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the months: a bar of rows by status, rows, size, age, and what became of each.

    Rows of the months around now are counted; where that would take long, they are estimates of
    the server's statistics, marked with ~.

    Example: bdaysched partitions --check
    """
    from birthday_cli.pipeline.partitions import survey

    settings = options.settings()
    now = options.clock(settings).now()
    if check:
        _check(survey.runway_of(settings, now), as_json)
        return
    seen = survey.survey(settings, now, exact)
    if as_json:
        output.print_json(seen)
    elif not sys.stdout.isatty():
        output.print_table(*_table(seen))
    else:
        _draw(seen)


def _check(found: "Runway", as_json: bool) -> None:
    if as_json:
        output.print_json(found)
    else:
        print(
            f"the months reach until {found.reaches:%Y-%m-%d};"
            f" planning can need them until {found.needed:%Y-%m-%d}"
        )
    if found.problem:
        raise NotUpToDate(found.problem)


def _table(seen: "list[MonthSeen]") -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows for a program to read."""
    statuses = [status.lower() for status in _INK]
    return (
        [*_COLUMNS, *statuses, "archived_at", "archive"],
        [
            [
                *(getattr(month, column) for column in _COLUMNS),
                *(month.by_status.get(status, 0) for status in _INK),
                *(month.archived_at, month.archive),
            ]
            for month in seen
        ],
    )


def _draw(seen: "list[MonthSeen]") -> None:
    output.print_table(*bars(seen))
    print()
    print("  ".join(f"{mark} {status}" for status, (mark, _) in _INK.items()))
    for month in seen:
        if month.archived_at:
            print(f"{month.month}: archived {output.cell(month.archived_at)}, {month.archive}")
    known = [month.rows for month in seen if month.total_bytes and month.rows is not None]
    about = "~" if any(month.is_estimate for month in seen) else ""
    size = output.size(sum(month.total_bytes for month in seen))
    print(f"{len(seen)} months, {about}{sum(known):,} rows, {size}")
    if about:
        print("~ estimated from the server's statistics; --exact counts")


def bars(seen: "list[MonthSeen]") -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows for a person to read."""
    from rich.console import Console

    least, most = _BAR
    width = max(least, min(most, Console().width - _BESIDE_THE_BAR))
    longest = max((sum(month.by_status.values()) for month in seen), default=0)
    digits = max((len(_rows(month)) for month in seen), default=0)
    return (
        ["month", "rows by status", "rows", "total_bytes", "age", "state"],
        [
            [
                month.month or month.partition,
                bar(month.by_status, longest, width),
                _rows(month).rjust(digits),
                month.total_bytes,
                _age(month.age_months),
                f"{month.state} {month.since:%Y-%m-%d}" if month.since else month.state,
            ]
            for month in seen
        ],
    )


def bar(by_status: dict[str, int], longest: int, width: int) -> "Text":
    """Return a bar in which every status that occurs has a place, however rare it is."""
    from rich.text import Text

    drawn = Text()
    for status, length in _lengths(by_status, longest, width).items():
        mark, colour = _INK[status]
        drawn.append(mark * length, style=colour)
    return drawn


def _lengths(by_status: dict[str, int], longest: int, width: int) -> dict[str, int]:
    """Return how many characters each status gets: one at least, and the largest give way."""
    counts = {status: by_status[status] for status in _INK if by_status.get(status)}
    lengths = {status: max(1, round(width * count / longest)) for status, count in counts.items()}
    room = max(len(counts), round(width * sum(counts.values()) / max(longest, 1)))
    while sum(lengths.values()) > room:
        lengths[max(lengths, key=lambda status: lengths[status])] -= 1
    return lengths


def _rows(month: "MonthSeen") -> str:
    if month.rows is None:
        return "?"
    return f"{'~' if month.is_estimate else ''}{month.rows:,}"


def _age(months: int | None) -> str:
    if months is None:
        return ""
    if months == 0:
        return "now"
    return f"{months} mo" if months > 0 else f"in {-months} mo"
