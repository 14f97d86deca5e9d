"""Options that several commands share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from birthday_cli.errors import UsageError

if TYPE_CHECKING:
    from birthday_cli.config import Clock, Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def settings(**flags: Any) -> Settings:
    """Return the settings, with every flag that was given laid over them."""
    from dataclasses import replace

    from birthday_cli import config

    return replace(config.load(), **{name: value for name, value in flags.items() if value})


def clock(settings: Settings) -> Clock:
    """Return the clock of planning, dispatching, partitions and reports."""
    from birthday_cli import config

    return config.clock(settings)


def seconds(name: str, text: str) -> float:
    """Return the seconds that the option called name was given as, such as `48h`; or UsageError."""
    from birthday_cli import config

    try:
        return config.seconds(text)
    except ValueError as problem:
        raise UsageError(f"{name}: {problem}") from problem


def confirm(question: str, yes: bool) -> None:
    """Ask on a terminal; UsageError anywhere else, unless `yes` was given."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} Not asked without a terminal: give --yes")
    typer.confirm(question, abort=True, err=True)
