"""The command reset, and what says which databases it may be used on."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun, Yes
from birthday_cli.errors import UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.schema.reset import Ours


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.SCHEMA)(reset)


def reset(
    mark: Annotated[
        bool, typer.Option("--mark", help="Only say that all of this database may be lost.")
    ] = False,
    unmark: Annotated[bool, typer.Option("--unmark", help="Only take that back.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Drop everything of ours in a development database, and migrate again.

    What is not ours stays. A database is one for development once --mark has said so; the private
    server's always is.

    Example: bdaysched reset --dry-run
    """
    if mark and unmark:
        raise UsageError("--mark and --unmark contradict each other: give one of them")
    if mark or unmark:
        _mark(mark, yes, dry_run, as_json)
        return
    from birthday_cli.pipeline.schema import reset

    settings = options.settings()
    if dry_run:
        _show(reset.look(settings), as_json)
        return

    def agree(found: "Ours") -> None:
        _tell_of_others(found)
        many = f"{len(found.ours)} tables and other objects"
        question = f"This drops {many} of {found.database} with all rows for good. Go on?"
        options.confirm(question, yes)

    done = reset.reset(settings, options.clock(settings).now(), agree)
    if as_json:
        output.print_json({"dry_run": False, **asdict(done)})
        return
    output.tell(
        f"dropped {len(done.dropped)} tables and other objects; applied"
        f" {len(done.made.migrations)} migrations, made {len(done.made.partitions)} partitions"
    )
    output.tell("next: `bdaysched seed` for sample users")


def _show(found: "Ours", as_json: bool) -> None:
    _tell_of_others(found)
    for name in found.ours:
        output.tell(f"would drop {name}")
    output.tell(f"would migrate {found.database} again")
    if as_json:
        output.print_json({"dry_run": True, "dropped": found.ours, "left": found.others})


def _tell_of_others(found: "Ours") -> None:
    for name in found.others:
        output.tell(f"not ours, and left: {name}")


def _mark(wanted: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    from birthday_cli.pipeline.schema import reset

    settings = options.settings()
    name, _ = reset.find_mark(settings)
    if not dry_run:
        if wanted:
            options.confirm(f"This says that all of {name} may be lost. Is that so?", yes)
        reset.mark(settings, wanted)
    name, found = reset.find_mark(settings)
    if as_json:
        output.print_json({"dry_run": dry_run, "database": name, "development": found})
        return
    output.tell(f"{name} is {'a' if found else 'no'} database for development")
