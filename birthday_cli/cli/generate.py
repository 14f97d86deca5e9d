"""The commands generate and push."""

from typing import Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun

Rename = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OLD=NEW", help="What has another name now: a table, or table.column=name."
    ),
]
AcceptDataLoss = Annotated[
    bool, typer.Option("--accept-data-loss", help="Drop what sql/schema.sql has no more.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.SCHEMA)(generate)
    app.command(rich_help_panel=panels.SCHEMA)(push)


def generate(
    name: Annotated[str, typer.Argument(help="What it does, such as add_wishes.")],
    rename: Rename = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Write a file to be filled by hand.")
    ] = False,
    accept_data_loss: AcceptDataLoss = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write the migrations that lead from what there are to sql/schema.sql, as edited.

    They let others read and write meanwhile where PostgreSQL can. They are tried on a
    scratch database with partitions and data in it first; what fails there is not written.

    Example: bdaysched generate add_wishes --dry-run
    """
    from birthday_cli.pipeline.schema import generate

    if empty:
        done = generate.empty(name, dry_run)
    else:
        settings = options.settings()
        now = options.clock(settings).now()
        done = generate.generate(settings, now, name, rename or (), accept_data_loss, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "files": done.files})
        return
    for file, text in done.files.items():
        if dry_run:
            print(f"-- {file}\n{text}")
        else:
            output.tell(f"wrote {file}")
    if not done.files:
        output.tell("nothing to do: the migrations build what sql/schema.sql says")
    elif not dry_run:
        output.tell("next: read it, then `bdaysched schema lint` and `bdaysched migrate --plan`")


def push(
    accept_data_loss: AcceptDataLoss = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring a development database straight to sql/schema.sql; any other one is refused.

    Partitions are not touched. What would lose data is named, and needs --accept-data-loss.

    Example: bdaysched push --dry-run
    """
    from birthday_cli.pipeline.schema.push import push

    done = push(options.settings(), accept_data_loss, dry_run)
    if as_json:
        output.print_json(
            {"dry_run": dry_run, "statements": done.statements, "losses": done.losses}
        )
        return
    for statement in done.statements:
        print(f"{statement};")
    for loss in done.losses:
        output.tell(f"{'would be lost' if dry_run else 'lost'}: {loss}")
    if not done.statements:
        output.tell("nothing to do: the database is what sql/schema.sql says")
    elif not dry_run:
        output.tell("next: `bdaysched generate NAME`, then `bdaysched schema baseline` here")
