"""The command schema lint."""

from pathlib import Path
from typing import Annotated

import typer

from birthday_cli.cli import output
from birthday_cli.cli.options import AsJson
from birthday_cli.cli.schema import schema
from birthday_cli.errors import ExitCode


def register(_: typer.Typer) -> None:
    """Add the command to those of `schema`."""
    schema.command("lint")(lint)


def lint(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Migrations; all of them if none is given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find what is dangerous in migrations: squawk's rules, and our own about partitioned tables.

    Ends with 1 if there is anything. A rule that has to be broken is named above the statement, as
    `-- lint: allow RULE: why`.

    Example: bdaysched schema lint sql/migrations/0007_wishes.sql
    """
    from birthday_cli.pipeline.schema.lint import lint

    done = lint(files or ())
    if as_json:
        output.print_json(done)
    else:
        for finding in done.findings:
            place = f"{finding.file}:{finding.line}:{finding.column}"
            print(f"{place}: {finding.rule}: {finding.reason}")
            if finding.instead:
                print(f"    instead: {finding.instead}")
        output.tell(f"{len(done.findings)} findings in {len(done.files)} files")
    if done.findings:
        raise typer.Exit(ExitCode.FAILED)
