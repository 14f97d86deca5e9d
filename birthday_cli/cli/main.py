"""The program `bdaysched`: its commands, and how every one of them ends."""

import os
import signal
import sys
from typing import Annotated

import typer

import birthday_cli
from birthday_cli.cli import (
    books,
    demo,
    doctor,
    explain,
    figures,
    generate,
    look,
    migrate,
    months,
    partitions,
    people,
    queue,
    reset,
    restoring,
    schema,
    schema_check,
    schema_lint,
    studio,
    units,
    work,
)
from birthday_cli.cli.output import fail, tell
from birthday_cli.errors import BdayschedError, ExitCode, described, redact

app = typer.Typer(
    name="bdaysched",
    help="One message at 9:00 of everyone's own morning, on the right day, once.",
    epilog="Settings come from the environment or .env; exit codes and more are in the README.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for room in (
    work,
    queue,
    look,
    doctor,
    studio,
    figures,
    explain,
    partitions,
    months,
    restoring,
    migrate,
    schema,
    schema_check,
    schema_lint,
    generate,
    reset,
    books,
    people,
    demo,
    units,
):
    room.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"bdaysched {birthday_cli.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks.", envvar="BDAYSCHED_DEBUG")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; so does NO_COLOR.")
    ] = False,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Read the options that stand before the command."""
    if debug:
        os.environ["BDAYSCHED_DEBUG"] = "1"
    if no_color:
        os.environ["NO_COLOR"] = "1"


def main() -> None:
    """Run the program. Whatever goes wrong is one line on stderr and an exit code."""
    # By default SIGTERM ends a process where it stands; this lets it put things away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except BdayschedError as problem:
        _end(problem, str(problem), problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.DONE)
    except Exception as problem:
        text = f"{described(problem)}. BDAYSCHED_DEBUG=1 shows where"
        _end(problem, text, ExitCode.FAILED)


def _end(problem: Exception, text: str, code: ExitCode) -> None:
    if os.environ.get("BDAYSCHED_DEBUG"):
        import traceback

        traceback.print_exception(problem)
    if isinstance(problem, BdayschedError) and problem.detail:
        tell(redact(problem.detail))
    fail(text)
    sys.exit(code)


if __name__ == "__main__":
    main()
