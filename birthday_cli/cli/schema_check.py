"""The commands schema check, dump and baseline."""

from typing import Annotated

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson, DryRun
from birthday_cli.cli.schema import schema
from birthday_cli.errors import ExitCode


def register(_: typer.Typer) -> None:
    """Add the commands to those of `schema`."""
    schema.command()(check)
    schema.command()(dump)
    schema.command()(baseline)


def check(as_json: AsJson = False) -> None:
    """Find what in the database is not what the applied migrations build, and what to do about it.

    Partitions are taken as they are; of each, indexes and triggers are looked at. What should be is
    built in a scratch database, which is dropped again. Ends with 6 if anything is found.

    Example: bdaysched schema check
    """
    from birthday_cli.pipeline.schema.check import check

    found = check(options.settings())
    if as_json:
        output.print_json({"drift": found})
    else:
        for drift in found:
            print(drift)
        output.tell(
            f"{len(found)} differences from what the migrations build"
            if found
            else "the schema is what the migrations build"
        )
    if found:
        raise typer.Exit(ExitCode.NOT_UP_TO_DATE)


def dump(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write sql/schema.sql, the whole schema as the migrations build it.

    With --dry-run it is not written, and the end is 6 if it is not what the migrations build.

    Example: bdaysched schema dump --dry-run
    """
    from birthday_cli.pipeline.schema.dump import dump

    done = dump(options.settings(), dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "path": done.path, "difference": done.difference})
    elif done.difference:
        print(done.difference)
        output.tell(f"{'would write' if dry_run else 'wrote'} {done.path}")
    else:
        output.tell(f"nothing to do: {done.path} is what the migrations build")
    if dry_run and done.difference:
        raise typer.Exit(ExitCode.NOT_UP_TO_DATE)


def baseline(
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Only up to this one, such as 0007.")
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for the record.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Adopt a database that was made elsewhere: record the migrations that it amounts to.

    It is compared with what they build, and refused with every difference named. Nothing but the
    record is changed; who adopted it is written down.

    Example: bdaysched schema baseline --to 0005
    """
    from birthday_cli.pipeline.schema.baseline import baseline

    recorded = baseline(options.settings(), to, reason, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "recorded": recorded})
        return
    for file in recorded:
        output.tell(f"{'would record' if dry_run else 'recorded'} {file} as applied")
    if not recorded:
        output.tell("nothing to do: all of them are recorded")
    elif not dry_run:
        output.tell("next: `bdaysched migrate`, which applies the others and makes partitions")
