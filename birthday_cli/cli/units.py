"""The command that writes what systemd or cron needs: units."""

from pathlib import Path
from typing import Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun
from birthday_cli.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=panels.INSTALLING)(units)


def units(
    folder: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Write the files there, else print them."),
    ] = None,
    cron: Annotated[bool, typer.Option("--cron", help="A crontab instead of units.")] = False,
    user: Annotated[str, typer.Option(help="The account that runs it.")] = "bdaysched",
    environment_file: Annotated[
        Path, typer.Option(metavar="FILE", help="Its settings, as NAME=value.")
    ] = Path("/etc/bdaysched/.env"),
    every: Annotated[
        int, typer.Option(metavar="MINUTES", min=1, max=30, help="How often schedule runs.")
    ] = 1,
    ahead: Annotated[
        int, typer.Option(metavar="MONTHS", min=1, max=240, help="Months to make ahead.")
    ] = 12,
    keep: Annotated[
        int, typer.Option(metavar="MONTHS", min=1, help="Months to keep, if dropping is enabled.")
    ] = 24,
    archive: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Archive there what is dropped: a folder, or a URL."),
    ] = None,
    metrics_file: Annotated[
        Path, typer.Option(metavar="FILE", help="Where metrics are written every minute.")
    ] = Path("/var/lib/prometheus/node-exporter/bdaysched.prom"),
    notify: Annotated[
        str,
        typer.Option(metavar="COMMAND", help="Run for a unit that failed, with its name after it."),
    ] = "/usr/bin/logger --priority daemon.alert --tag bdaysched failed:",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write systemd units and timers, or a crontab, for this installation; install nothing.

    Example: bdaysched units --output /tmp/units --user birthday
    """
    from birthday_cli.pipeline import units

    installation = units.Installation(
        user, environment_file, every, ahead, keep, metrics_file, notify, archive
    )
    files = (
        {"bdaysched.crontab": units.crontab(installation)}
        if cron
        else units.systemd(installation, options.settings())
    )
    if folder and not dry_run:
        _write(folder, files)
    commands = units.next_commands(installation, str(folder) if folder else None, cron)
    if not cron and (caveat := units.caveat()):
        output.tell(f"NOT TO BE INSTALLED: {caveat}")
    if as_json:
        output.print_json({"dry_run": dry_run, "files": files, "next": commands})
        return
    if folder:
        for name in files:
            output.tell(f"{'would write' if dry_run else 'wrote'} {folder / name}")
        output.tell("next, as root:")
        for command in commands:
            output.tell(f"  {command}")
        return
    for name, text in files.items():
        print(text if cron else f"# {name}\n{text}", end="" if cron else "\n")


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"cannot write into {folder}: {problem.strerror}") from problem
