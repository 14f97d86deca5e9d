"""The commands that make months, and that let go of them."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun, Yes
from birthday_cli.errors import redact

if TYPE_CHECKING:
    from birthday_cli.pipeline.retain import Expired, Retained

Wait = Annotated[
    str, typer.Option(metavar="TIME", help="Try that long for locks that others keep.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("create-partitions", rich_help_panel=panels.PARTITIONS)(create_partitions)
    app.command("drop-partitions", rich_help_panel=panels.PARTITIONS)(drop_partitions)


def create_partitions(
    months: Annotated[int, typer.Argument(metavar="N", min=0, max=240, help="How many months.")],
    wait: Wait = "30s",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the partitions of the current month and the next N, where they are missing.

    Nobody is kept from reading or writing for a tenth of a second; where others keep their locks
    for longer than --wait, it ends with 75.

    Example: bdaysched create-partitions 12
    """
    from birthday_cli.pipeline.partitions.months import create

    settings = options.settings()
    patience = options.seconds("--wait", wait)
    created = create(settings, options.clock(settings).now(), months, dry_run, patience)
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
    grace: Annotated[
        int, typer.Option(metavar="DAYS", min=0, help="Days between detaching and dropping.")
    ] = 7,
    maximum: Annotated[
        int, typer.Option("--max", metavar="M", min=1, help="Months to take in hand at once.")
    ] = 3,
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Write each month there before it is dropped: a folder or URL."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also months with messages not SENT or FAILED.")
    ] = False,
    wait: Wait = "30s",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Detach the partitions that are older than N months, and drop them for good a week later.

    A run detaches the oldest and drops those that an earlier one has detached --grace days ago.

    Example: bdaysched drop-partitions 24 --dry-run
    """
    from birthday_cli.pipeline import retain

    settings = options.settings()
    now = options.clock(settings).now()
    patience = options.seconds("--wait", wait)
    days = timedelta(days=grace)
    found, left = retain.expired(settings, now, months, days, maximum)
    done = _expected(found, left, days)
    if not dry_run:
        if not as_json:
            for month in found:
                output.tell(f"{month.partition}: {_contents(month)}")
        if question := _question(done, grace, archive):
            options.confirm(question, yes)
        done = retain.drop(settings, now, months, days, maximum, archive, force, patience)
    if as_json:
        output.print_json({"dry_run": dry_run, **vars(done)})
        return
    _tell(done, dry_run, force)
    if not found:
        output.tell(f"nothing to do: no partition is older than {months} months")


def _expected(found: "list[Expired]", left: int, grace: timedelta) -> "Retained":
    """Return what `drop` will say, if all goes well."""
    from birthday_cli.pipeline.retain import Retained

    dropped = [month for month in found if month.is_due or not grace]
    return Retained(dropped, [month for month in found if month not in dropped], left)


def _question(expected: "Retained", grace: int, archive: str | None) -> str | None:
    """Return what is to be confirmed, or None where no month is touched."""
    begun = [month for month in expected.detached if month.drops_from is None]
    sentences = []
    if begun:
        sentences.append(
            f"This detaches {_sum(begun)}: message_logs does not show them any more, and a run"
            f" after {grace} days drops them."
        )
    if expected.dropped:
        first = f", once they are archived in {redact(archive)}" if archive else ""
        sentences.append(f"This deletes {_sum(expected.dropped)} for good{first}.")
    return f"{' '.join(sentences)} Go on?" if sentences else None


def _tell(done: "Retained", dry_run: bool, force: bool) -> None:
    for month in done.dropped:
        archived = f"; archived: {month.archive}" if month.archive else ""
        output.tell(
            f"{'would drop' if dry_run else 'dropped'} {month.partition} ({_contents(month)})"
            f"{archived}"
        )
    for month in done.detached:
        if month.drops_from is None:
            output.tell(f"would detach {month.partition} ({_contents(month)})")
        else:
            when = output.cell(month.drops_from)
            output.tell(f"detached {month.partition} ({_contents(month)}); drops from {when} on")
    for month in (*done.dropped, *done.detached) if dry_run and not force else ():
        if month.unfinished:
            output.tell(
                f"REFUSED without --force: {month.partition} holds {month.unfinished:,} messages"
                " that are neither SENT nor FAILED"
            )
    if done.left:
        output.tell(f"left for later: {done.left} months more that are over (see --max)")


def _contents(month: "Expired") -> str:
    rows = ", ".join(f"{count:,} {status}" for status, count in month.rows.items()) or "empty"
    return f"{rows}; {output.size(month.bytes)}"


def _sum(months: "list[Expired]") -> str:
    rows = sum(sum(month.rows.values()) for month in months)
    size = output.size(sum(month.bytes for month in months))
    return f"{len(months)} partitions with {rows:,} messages ({size})"
