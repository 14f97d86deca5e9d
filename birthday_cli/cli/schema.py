"""Commands over the schema and the record of its migrations: status; more are beside this."""

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson

schema = typer.Typer(
    help="The schema: what was applied to it, and whether it is what it should be.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    schema.command("status")(show_status)
    app.add_typer(schema, name="schema")


def show_status(as_json: AsJson = False) -> None:
    """Show which migrations were applied, and which are pending.

    Example: bdaysched schema status
    """
    from birthday_cli.pipeline.schema import status

    found = status(options.settings())
    if as_json:
        output.print_json(found)
        return
    output.print_table(("migration", "state"), [(line.migration, line.state) for line in found])
