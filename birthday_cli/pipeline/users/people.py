"""The users: add, import, export, list and delete them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import BinaryIO, NamedTuple, TextIO
from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import users
from birthday_cli.db.connect import connect
from birthday_cli.db.users import Found, Listed
from birthday_cli.domain.user import COLUMNS, REQUIRED, User, Wrong, check, parse
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.users.records import Record, records

_BATCH = 10_000

NOTES = ("line", "column", "value", "reason")
"""What stands before the cells in a file of rejected lines; `import_csv` ignores these columns."""


class Rejected(NamedTuple):
    """A line that was not taken: its number in the file (1 is the header), what is wrong, and why.

    `column` is empty when the line as a whole is wrong, `value` when one is missing. `cells` are
    the line's own, as they were, under the names of `header`.
    """

    line: int
    column: str
    value: str
    reason: str
    header: list[str]
    cells: list[str]


@dataclass
class Imported:
    """How many lines added a user, changed one, changed nothing, or were rejected."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0

    @property
    def lines(self) -> int:
        """How many lines that makes."""
        return self.added + self.changed + self.unchanged + self.rejected


def import_csv(
    settings: Settings,
    source: TextIO,
    on_reject: Callable[[Rejected], None],
    dry_run: bool = False,
    on_batch: Callable[[Imported], None] = lambda _: None,
) -> Imported:
    """Merge the users of a CSV file into the database, by e-mail, a transaction for each batch.

    `source` must be opened with newline="" and errors="surrogateescape": bytes that are not UTF-8
    reject their line, not the file. The header names SPEC.md's columns in any order; those of NOTES
    are ignored. A line that is wrong goes to on_reject, and the rest is taken. on_batch is told
    what was done so far, every 10,000 users. `dry_run` only checks the lines. Raises UsageError for
    a header that lacks a column or has an unknown one.
    """
    imported = Imported()
    accepted = _accepted(source, on_reject, imported)
    with nullcontext() if dry_run else connect(settings, "bdaysched users import") as connection:
        while batch := list(islice(accepted, _BATCH)):
            added, changed = users.merge(connection, batch) if connection else (len(batch), 0)
            imported.added += added
            imported.changed += changed
            imported.unchanged += len(batch) - added - changed
            on_batch(imported)
    return imported


def add(settings: Settings, fields: Mapping[str, str], dry_run: bool = False) -> UUID | None:
    """Add one user, checked as a line of CSV would be; return the id, None for a dry run.

    Raises UsageError for a wrong value, BdayschedError when the e-mail is taken.
    """
    try:
        user = parse(fields)
    except ValueError as problem:
        raise UsageError(str(problem)) from problem
    with (
        connect(settings, "bdaysched users add") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        user_id = users.add(connection, user)
    if user_id is None:
        raise BdayschedError(
            f"{user.email} is there already: change it with `bdaysched users import`"
        )
    return None if dry_run else user_id


def export(settings: Settings, target: BinaryIO) -> None:
    """Write every user who is not deleted to target, as CSV that `import_csv` reads."""
    with connect(settings, "bdaysched users export") as connection:
        for piece in users.export(connection):
            target.write(piece)


def search(settings: Settings, text: str, limit: int) -> list[Listed]:
    """Return up to limit users whose name or e-mail holds text."""
    with connect(settings, "bdaysched users list") as connection:
        return users.search(connection, text, limit)


def find(settings: Settings, who: str) -> Found:
    """Return the user with that e-mail or id; BdayschedError if there is none."""
    with connect(settings, "bdaysched users") as connection:
        found = users.find(connection, who)
    if not found:
        raise BdayschedError(f"there is no user {who!r}: see `bdaysched users list`")
    return found


def delete(settings: Settings, user_id: UUID) -> None:
    """Delete a user softly; messages that are not under way are not sent any more."""
    with connect(settings, "bdaysched users delete") as connection:
        users.delete(connection, user_id)


def _accepted(
    source: TextIO, on_reject: Callable[[Rejected], None], imported: Imported
) -> Iterator[User]:
    lines = records(source)
    names = _header(next(lines, Record(1, [])))
    notes = {index for index, name in enumerate(names) if name in NOTES}
    # A column that the file lacks is taken from an empty cell after the last one.
    in_order = itemgetter(*(names.index(name) if name in names else -1 for name in COLUMNS))
    for line, cells, problem in lines:
        try:
            if problem:
                raise Wrong("", "", f"not CSV: {problem}; look for a quote too many")
            if len(cells) != len(names):
                raise Wrong("", "", f"{len(cells)} columns where the header has {len(names)}")
            user = check(in_order([*cells, ""]))
        except Wrong as wrong:
            imported.rejected += 1
            header, own = (
                [text for index, text in enumerate(texts) if index not in notes]
                for texts in (names, cells)
            )
            on_reject(Rejected(line, wrong.column, wrong.value, wrong.reason, header, own))
            continue
        yield user


def _header(record: Record) -> list[str]:
    if record.problem:
        raise UsageError(f"the file is not CSV: {record.problem}")
    header = [name.strip().lower() for name in record.cells]
    if missing := [name for name in REQUIRED if name not in header]:
        raise UsageError(f"the header lacks {', '.join(missing)}: the columns are {_columns()}")
    if unknown := [name for name in header if name not in COLUMNS + NOTES]:
        raise UsageError(f"the header has unknown columns {unknown}: the columns are {_columns()}")
    if len(set(header)) != len(header):
        raise UsageError("the header names a column twice")
    return header


def _columns() -> str:
    return ", ".join(COLUMNS)
