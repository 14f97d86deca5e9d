"""The users: add, import, export, list and delete them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple, TextIO
from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import users
from birthday_cli.db.connect import connect
from birthday_cli.db.users import Found, Listed
from birthday_cli.domain.user import COLUMNS, REQUIRED, User, parse
from birthday_cli.errors import BdayschedError, UsageError

_BATCH = 10_000


class Rejected(NamedTuple):
    """A line that was not taken: its number in the file (1 is the header), why, and its cells."""

    line: int
    reason: str
    cells: list[str]


@dataclass
class Imported:
    """How many lines added a user, changed one, changed nothing, or were rejected."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0


def import_csv(
    settings: Settings,
    source: TextIO,
    on_reject: Callable[[Rejected], None],
    dry_run: bool = False,
) -> Imported:
    """Merge the users of a CSV file into the database, by e-mail, a transaction for each batch.

    `source` must be opened with newline="" and errors="surrogateescape": bytes that are not UTF-8
    reject their line, not the file. The header names SPEC.md's columns in any order. A line that is
    wrong goes to on_reject, and the rest is taken. `dry_run` only checks the lines. Raises
    UsageError for a header that lacks a column or has an unknown one.
    """
    imported = Imported()
    accepted = _accepted(source, on_reject, imported)
    if dry_run:
        imported.added = sum(1 for _ in accepted)
        return imported
    with connect(settings, "bdaysched users import") as connection:
        while batch := list(islice(accepted, _BATCH)):
            added, changed = users.merge(connection, batch)
            imported.added += added
            imported.changed += changed
            imported.unchanged += len(batch) - added - changed
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
    reader = csv.reader(source)
    header = _header(reader)
    line = reader.line_num
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            imported.rejected += 1
            on_reject(Rejected(line, f"not CSV: {problem}", []))
            continue
        if not cells:
            continue
        try:
            if len(cells) != len(header):
                raise ValueError(f"{len(cells)} columns where the header has {len(header)}")
            user = parse(dict(zip(header, cells, strict=True)))
        except ValueError as problem:
            imported.rejected += 1
            on_reject(Rejected(line, str(problem), cells))
            continue
        yield user


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as problem:
        raise UsageError(f"the file is not CSV: {problem}") from problem
    if missing := [name for name in REQUIRED if name not in header]:
        raise UsageError(f"the header lacks {', '.join(missing)}: the columns are {_columns()}")
    if unknown := [name for name in header if name not in COLUMNS]:
        raise UsageError(f"the header has unknown columns {unknown}: the columns are {_columns()}")
    if len(set(header)) != len(header):
        raise UsageError("the header names a column twice")
    return header


def _columns() -> str:
    return ", ".join(COLUMNS)
