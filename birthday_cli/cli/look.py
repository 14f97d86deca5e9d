"""The commands that show how things are: status, monitor."""

from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson

if TYPE_CHECKING:
    from birthday_cli.pipeline.look import Status


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(status)
    app.command()(monitor)


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
