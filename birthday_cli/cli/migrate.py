"""The command migrate."""

from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun

if TYPE_CHECKING:
    from birthday_cli.pipeline.schema.migrate import Plan


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.SCHEMA)(migrate)


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
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Print the exact SQL and each statement's locks; change nothing."
        ),
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring the schema up to date, and make this month's partition and the next 12.

    Example: bdaysched migrate --wait 30s
    """
    from birthday_cli.pipeline.schema import migrate

    settings = options.settings()
    now = options.clock(settings).now()
    patience = options.seconds("--wait", wait)
    if plan:
        planned = migrate.plan(settings, now, patience, to)
        output.print_json(planned) if as_json else _print_plan(planned)
        return
    done = migrate.migrate(settings, now, patience, dry_run, to)
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


def _print_plan(plan: "Plan") -> None:
    """Print it as SQL; what is not a statement is a comment."""
    for migration in plan.migrations:
        kind = "one transaction" if migration.transactional else "not a transaction"
        print(f"-- {migration.file}: {kind}\n")
        for statement in migration.statements:
            print(f"-- line {statement.line}")
            for lock in statement.locks:
                print(f"-- locks {lock.relation} in {lock.mode} mode: blocks {lock.blocks}")
            if not statement.locks:
                print("-- locks nothing more that was there before")
            if statement.waits_for_transactions:
                print("-- waits for transactions that are open when it begins")
            print(f"{statement.sql};\n")
        for check in migration.checks:
            print(f"-- verifies\n{check};\n")
    if plan.partitions:
        first, last = min(plan.partitions), max(plan.partitions)
        print(f"-- then makes {len(plan.partitions)} partitions, {first} to {last}")
    if not plan.migrations and not plan.partitions:
        output.tell("nothing to do: the schema is up to date")
