"""`users import`: the file, its rejected lines and, on a terminal, how far it got."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson, DryRun
from birthday_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.users.people import Imported, Rejected

_SHOWN = 20
_LONGEST_SHOWN = 80


def import_users(
    file: Annotated[Path, typer.Argument(help="A CSV file, or - for standard input.")],
    reject_file: Annotated[
        Path | None,
        typer.Option(
            help="Write the rejected lines here, with what is wrong: mend them, and import it."
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Add users from CSV, or bring them up to date; e-mails tell who is who.

    The header names, in any order: first_name, last_name, email, timezone, birthday_date,
    anniversary_date, location_city, location_country. Dates are MM-DD, YYYY-MM-DD or --MM-DD. Of
    two lines with one e-mail the later holds.

    A line that is wrong is reported and left out; the exit code is then 1. The reject file has the
    columns line, column, value and reason, then those of the file, and can be imported as it is:
    the first four are ignored. It is empty when nothing was rejected.

    Example: bdaysched users import people.csv --reject-file rejected.csv
    """
    from birthday_cli.pipeline.users.people import import_csv

    settings = options.settings()
    with ExitStack() as files:
        source = files.enter_context(_open(file))
        on_reject = _Rejections(
            files.enter_context(_create(reject_file, source)) if reject_file else None
        )
        on_batch = files.enter_context(_progress(source, shown=not as_json))
        done = import_csv(settings, source, on_reject, dry_run, on_batch)
    if on_reject.count > _SHOWN:
        more = on_reject.count - _SHOWN
        kept = f"see {reject_file}" if reject_file else "--reject-file FILE keeps them all"
        output.tell(f"… and {more} more: {kept}")
    if as_json:
        output.print_json(done)
    else:
        added = f"{'would take' if dry_run else 'added'} {done.added}"
        output.tell(
            f"{added}, changed {done.changed}, unchanged {done.unchanged}, rejected {done.rejected}"
        )
    if done.rejected:
        raise typer.Exit(ExitCode.FAILED)


class _Rejections:
    """Shows the first rejected lines on stderr, and writes all of them to a file."""

    def __init__(self, file: TextIO | None) -> None:
        import csv

        self.count = 0
        self._writer = csv.writer(file) if file else None

    def __call__(self, rejected: "Rejected") -> None:
        from birthday_cli.pipeline.users.people import NOTES

        self.count += 1
        line, column, value, reason, header, cells = rejected
        if self.count <= _SHOWN:
            shown = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…"
            words = (column, repr(shown) if value else "", reason)
            output.tell(f"line {line}: {' '.join(filter(None, words))}")
        if self._writer:
            if self.count == 1:
                self._writer.writerow([*NOTES, *header])
            self._writer.writerow([line, column, value, reason, *cells])


@contextmanager
def _progress(source: TextIO, shown: bool) -> Iterator[Callable[["Imported"], None]]:
    """Yield what shows how far an import is: on a terminal, and nowhere else."""
    if not (shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    file = os.fstat(source.fileno())
    size = file.st_size if stat.S_ISREG(file.st_mode) else None
    columns = (BarColumn(20), TaskProgressColumn(), TextColumn("{task.description}"), Remaining())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size)
        started = time.monotonic()

        def show(done: "Imported") -> None:
            rate = done.lines / (time.monotonic() - started)
            progress.update(
                task,
                description=f"{done.lines:,} lines, {rate:,.0f}/s",
                completed=source.buffer.tell() if size else None,
            )

        yield show


def _open(file: Path) -> TextIO:
    try:
        if str(file) == "-":
            return open(
                sys.stdin.fileno(),
                encoding="utf-8-sig",
                errors="surrogateescape",
                newline="",
                closefd=False,
            )
        return file.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as problem:
        raise UsageError(f"{file} cannot be read: {problem.strerror}") from problem


def _create(file: Path, source: TextIO) -> TextIO:
    try:
        if file.exists() and os.path.samestat(file.stat(), os.fstat(source.fileno())):
            raise UsageError(f"{file} is being read: give --reject-file another name")
        return file.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as problem:
        raise UsageError(f"{file} cannot be written: {problem.strerror}") from problem
