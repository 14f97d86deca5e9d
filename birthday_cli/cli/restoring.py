"""The command that brings a month back from its archive."""

from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.months import Wait
from birthday_cli.cli.options import AsJson, DryRun

if TYPE_CHECKING:
    from birthday_cli.pipeline.partitions.restore import Restored


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("restore-partition", rich_help_panel=panels.PARTITIONS)(restore_partition)


def restore_partition(
    file: Annotated[
        str, typer.Argument(help="The archive's manifest or its data: a path, or a URL.")
    ],
    beside: Annotated[
        bool, typer.Option("--beside", help="As a table of its own, apart from message_logs.")
    ] = False,
    skip_erased: Annotated[
        bool, typer.Option("--skip-erased", help="Leave out who has been erased, and say how many.")
    ] = False,
    wait: Wait = "30s",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring a month back that drop-partitions has archived, every column as it was.

    The archive is verified before anything is changed; --dry-run loads it, too, and takes it back.

    Example: bdaysched restore-partition /backup/message_logs_2024_03.manifest.json
    """
    from birthday_cli.pipeline.partitions.restore import restore

    done = restore(
        options.settings(),
        file,
        beside=beside,
        skip_erased=skip_erased,
        dry_run=dry_run,
        wait=options.seconds("--wait", wait),
    )
    if as_json:
        output.print_json({"dry_run": dry_run, **vars(done)})
        return
    _tell(done, dry_run)


def _tell(done: "Restored", dry_run: bool) -> None:
    rows = ", ".join(f"{count:,} {status}" for status, count in sorted(done.rows.items()))
    if not done.is_new:
        output.tell(f"nothing to do: {done.table} is there already ({rows or 'empty'})")
        return
    what = "would restore" if dry_run else "restored"
    where = "" if done.is_attached else ", beside message_logs"
    output.tell(f"{what} {done.table}{where}: {rows or 'empty'}")
    if done.left_out:
        output.tell(f"left out: {done.left_out:,} messages of users who have been erased")
