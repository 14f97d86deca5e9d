"""The command migrate."""

from typing import Annotated

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson, DryRun


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(migrate)


def migrate(
    wait: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Wait that long for the server to come up, and for locks."
        ),
    ] = "0s",
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Stop after this migration; make no partitions."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring the schema up to date, and make this month's partition and the next 12.

    Example: bdaysched migrate --wait 30s
    """
    from birthday_cli.pipeline.migrate import migrate

    settings = options.settings()
    now = options.clock(settings).now()
    done = migrate(settings, now, options.seconds("--wait", wait), dry_run, to)
    if as_json:
        output.print_json(done)
        return
    verb = "would apply" if dry_run else "applied"
    for name in done.migrations:
        output.tell(f"{verb} {name}")
    if done.partitions:
        verb = "would make" if dry_run else "made"
        output.tell(
            f"{verb} {len(done.partitions)} partitions,"
            f" {min(done.partitions)} to {max(done.partitions)}"
        )
    if not done.migrations and not done.partitions:
        output.tell("nothing to do: the schema is up to date")
    elif not dry_run:
        output.tell("next: `bdaysched users import FILE`, or `bdaysched seed` for sample users")
