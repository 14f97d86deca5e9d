"""Commands over the monthly partitions."""

from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson, DryRun, Yes

if TYPE_CHECKING:
    from birthday_cli.pipeline.retain import Expired


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("create-partitions")(create_partitions)
    app.command("drop-partitions")(drop_partitions)


def create_partitions(
    months: Annotated[int, typer.Argument(metavar="N", min=0, max=240, help="How many months.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the partitions of the current month and the next N, where they are missing.

    Example: bdaysched create-partitions 12
    """
    from birthday_cli.pipeline import retain

    settings = options.settings()
    created = retain.create(settings, options.clock(settings).now(), months, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "created": created})
        return
    for name in created:
        output.tell(f"{'would make' if dry_run else 'made'} {name}")
    if not created:
        output.tell("nothing to do: they are all there")


def drop_partitions(
    months: Annotated[
        int, typer.Argument(metavar="N", min=0, help="Months to keep, besides the current one.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Drop messages that are not SENT or FAILED, too.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Drop the partitions that are older than N months, with their messages, for good.

    Example: bdaysched drop-partitions 24 --dry-run
    """
    from birthday_cli.pipeline import retain

    settings = options.settings()
    now = options.clock(settings).now()
    doomed = retain.expired(settings, now, months)
    if doomed and not dry_run:
        for month in doomed:
            output.tell(f"{month.partition}: {_summary(month.rows)}")
        options.confirm(f"This deletes {_lost(doomed)} for good. Go on?", yes)
        doomed = retain.drop(settings, now, months, force)
    if as_json:
        output.print_json({"dry_run": dry_run, "dropped": doomed})
        return
    for month in doomed:
        verb = "would drop" if dry_run else "dropped"
        output.tell(f"{verb} {month.partition} ({_summary(month.rows)})")
    if not doomed:
        output.tell(f"nothing to do: no partition is older than {months} months")


def _summary(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in rows.items()) or "empty"


def _lost(doomed: "list[Expired]") -> str:
    rows = sum(sum(month.rows.values()) for month in doomed)
    return f"{len(doomed)} partitions with {rows:,} messages"
