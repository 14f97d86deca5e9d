"""Commands over the schema and the record of its migrations: status, repair; more are beside."""

from typing import Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun
from birthday_cli.errors import ExitCode, UsageError

schema = typer.Typer(
    help="The schema: what was applied to it, and whether it is what it should be.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    schema.command("status")(show_status)
    schema.command()(repair)
    app.add_typer(schema, name="schema", rich_help_panel=panels.SCHEMA)


def show_status(
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help="End with 6 unless every migration is applied as it is."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show which migrations are applied, pending, edited, missing, late, or gone and accepted.

    Example: bdaysched schema status --exit-code
    """
    from birthday_cli.pipeline.schema.record import status

    found = status(options.settings())
    if as_json:
        output.print_json(found)
    else:
        output.print_table(
            ("migration", "state", "applied_at"),
            [(one.file, one.state, one.applied_at) for one in found.migrations],
        )
    if exit_code and not found.up_to_date:
        raise typer.Exit(ExitCode.NOT_UP_TO_DATE)


def repair(
    versions: Annotated[list[str], typer.Argument(metavar="VERSION…", help="Such as 0007.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Accept edited, missing or late migrations, and write down who did it, when and why.

    The schema is not changed; what was recorded before is kept.

    Example: bdaysched schema repair 0007 --reason "a typing error in a comment"
    """
    from birthday_cli.pipeline.schema.record import repair

    if not reason.strip():
        raise UsageError("--reason: say why, for those who will ask")
    accepted = repair(options.settings(), versions, reason.strip(), dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "accepted": accepted})
        return
    for one in accepted:
        output.tell(one.difference)
        output.tell(f"{'would accept' if dry_run else 'accepted'} {one.file}, {one.state}")
    if not dry_run and any(one.state == "late" for one in accepted):
        output.tell("next: `bdaysched migrate` applies what was late")
