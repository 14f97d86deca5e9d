"""The command `studio`: web pages to look at users, messages and the day."""

from typing import Annotated

import typer

from birthday_cli.cli import options, panels
from birthday_cli.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=panels.LOOKING)(studio)


def studio(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where on 127.0.0.1; 0 for any free one.")
    ] = 4983,
    write: Annotated[
        bool, typer.Option("--write", help="With buttons to try failed messages again.")
    ] = False,
) -> None:
    """Serve web pages to look at users, messages and the day, on this machine only.

    Open the link that it prints, which holds a token. Ctrl-C ends it. Without --write nothing can
    be changed.

    Example: bdaysched studio --port 0
    """
    settings = options.settings()
    try:
        from birthday_cli.studio.serve import serve
    except ModuleNotFoundError as problem:
        if (problem.name or "").startswith("birthday_cli"):
            raise
        raise UsageError(
            f"{problem.name} is not installed: pip install 'bdaysched[studio]'"
        ) from problem

    serve(settings, options.clock(settings), port, write, lambda url: print(url, flush=True))
