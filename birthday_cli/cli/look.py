"""The commands that show how things are, and will be: status, monitor, preview."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson
from birthday_cli.errors import UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.look import Status


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(status)
    app.command()(monitor)
    app.command()(preview)


def status(as_json: AsJson = False) -> None:
    """Show on one screen how things are: schema, months, today's messages, queue.

    Example: bdaysched status
    """
    from birthday_cli.pipeline import look

    settings = options.settings()
    now = options.clock(settings).now()
    found = look.status(settings, now)
    if as_json:
        output.print_json(found)
        return
    oldest = "none"
    if found.oldest_unsent:
        late = int((now - found.oldest_unsent).total_seconds())
        oldest = f"due {output.cell(found.oldest_unsent)}, {late // 60} min ago"
    output.print_table(
        ("what", "state"),
        [
            ("schema", _schema(found)),
            ("partitions", f"to {found.last_month}, {found.months_ahead} months ahead"),
            ("messages today", _counts(found.today)),
            ("oldest unsent", oldest),
            ("queue", found.queue if isinstance(found.queue, str) else _queue(found.queue)),
            ("worker connections", found.worker_connections),
            ("redis", found.redis),
        ],
    )


def _schema(found: "Status") -> str:
    if not found.pending_migrations:
        return f"version {found.schema}, up to date"
    waiting = ", ".join(found.pending_migrations)
    return f"version {found.schema}, pending: {waiting}; run `bdaysched migrate`"


def _counts(today: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(today.items())) or "none"


def _queue(depth: tuple[int, int]) -> str:
    return f"{depth[0]:,} ready, {depth[1]:,} dead"


def monitor(
    name: Annotated[
        str | None, typer.Argument(help="partitions, indexes, connections, …", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show one monitoring table; without a name, which there are.

    Example: bdaysched monitor partitions
    """
    from birthday_cli.pipeline import look

    if name is None:
        known = look.tables()
        if as_json:
            output.print_json(known)
        else:
            output.print_table(("name", "shows"), known.items())
        return
    table = look.table(options.settings(), name)
    if as_json:
        output.print_json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    else:
        output.print_table(table.columns, table.rows, title=table.title)


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
    from birthday_cli.pipeline import look

    settings = options.settings()
    try:
        day = date.fromisoformat(first) if first else options.clock(settings).now().date()
    except ValueError as problem:
        raise UsageError(f"--date {first!r} is not a date: write it like 2027-02-28") from problem
    found = look.preview(settings, day, days, user)
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
