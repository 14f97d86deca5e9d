"""The commands by which the program explains itself: explain, preview, forecast."""

from collections.abc import Iterator
from datetime import date
from math import ceil
from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson
from birthday_cli.errors import UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.looking.forecast import Forecast

_ZONES_NAMED = 2
_BARS = "▁▂▃▄▅▆▇█"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.EXPLAINING)(explain)
    app.command(rich_help_panel=panels.EXPLAINING)(preview)
    app.command(rich_help_panel=panels.EXPLAINING)(forecast)


def explain(
    user: Annotated[str, typer.Argument(metavar="USER", help="The e-mail or the id.")],
    limit: Annotated[int, typer.Option(min=1, help="The most messages to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Tell what one user gets next, when and why, and all that is known of earlier messages.

    Example: bdaysched explain ada@example.com
    """
    from birthday_cli.cli import story
    from birthday_cli.pipeline.looking.explain import explain

    settings = options.settings()
    found = explain(settings, options.clock(settings).now(), user, limit)
    if as_json:
        output.print_json(found)
        return
    for line in story.lines(found):
        print(line)


def preview(
    first: Annotated[
        str, typer.Option("--date", metavar="YYYY-MM-DD", help="The users' local date; today.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="How many dates.")] = 1,
    user: Annotated[str | None, typer.Option(help="Only this one: an e-mail or an id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to show in a table.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who gets what when, planned or not.

    Example: bdaysched preview --date 2027-02-28 --days 2
    """
    from birthday_cli.pipeline.looking.preview import preview

    settings = options.settings()
    try:
        day = date.fromisoformat(first) if first else options.clock(settings).now().date()
    except ValueError as problem:
        raise UsageError(f"--date {first!r} is not a date: write it like 2027-02-28") from problem
    found = preview(settings, day, days, user)
    if as_json:
        output.print_json(found)
        return
    rows = [
        (message.scheduled_send_time, message.timezone, message.email, message.message_type)
        for message in found[:limit]
    ]
    output.print_table(("send_time", "timezone", "email", "type"), rows)
    if len(found) > limit:
        output.tell(f"{limit} of {len(found)}; --limit shows more")


def forecast(
    days: Annotated[int, typer.Option(min=1, max=366, help="How far to look ahead.")] = 365,
    rate: Annotated[
        float, typer.Option(min=0.01, help="Messages a second that all workers send together.")
    ] = 1000,
    within: Annotated[
        str, typer.Option(metavar="TIME", help="How late a message may be to be on time.")
    ] = "60s",
    top: Annotated[int, typer.Option(min=1, help="How many of the busiest minutes.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the coming minutes with the most sends, and how late these become at a rate.

    Example: bdaysched forecast --rate 500 --within 30s
    """
    from birthday_cli.pipeline.looking.forecast import forecast

    settings = options.settings()
    now = options.clock(settings).now()
    seconds = options.seconds("--within", within)
    if not seconds:
        raise UsageError("--within must be greater than 0")
    found = forecast(settings, now, days, rate, seconds, top)
    if as_json:
        output.print_json(found)
        return
    rows = [
        (minute.scheduled_send_time, minute.sends, minute.lateness_seconds, _most(minute.zones))
        for minute in found.busiest_minutes
    ]
    output.print_table(("send_time", "sends", "lateness_seconds", "zones"), rows)
    for line in _summary(found, days):
        output.tell(line)


def _most(zones: dict[str, int]) -> str:
    parts = [f"{name} {count:,}" for name, count in list(zones.items())[:_ZONES_NAMED]]
    if len(zones) > _ZONES_NAMED:
        parts.append(f"{len(zones) - _ZONES_NAMED} more")
    return ", ".join(parts)


def _summary(found: "Forecast", days: int) -> Iterator[str]:
    if not found.sends:
        yield f"nothing is to be sent in the coming {days} days"
        return
    day = max(found.days, key=lambda day: found.days[day])
    counts = list(found.days.values())
    weeks = [sum(counts[start : start + 7]) for start in range(0, len(counts) - 6, 7)]
    worst, within = map(output.duration, (found.worst_lateness_seconds, found.within_seconds))
    yield f"{found.sends:,} sends in {days} days; most on {day} (UTC): {found.days[day]:,}"
    if len(weeks) > 1 and any(weeks):
        yield "by week: " + "".join(_BARS[round(7 * week / max(weeks))] for week in weeks)
    yield f"at {found.rate:,.10g} a second: at most {worst} late, {found.worst_at:%Y-%m-%d %H:%MZ}"
    yield f"{found.late:,} later than {within}, and {found.too_late:,} too late to be sent at all"
    yield f"{ceil(found.rate_needed):,} a second would send all within {within}"
