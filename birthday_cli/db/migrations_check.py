"""Whether what was applied to a database is what the files say."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from birthday_cli.db import migrations_record as record
from birthday_cli.db.connect import Connection
from birthday_cli.db.migrations import Migration, available
from birthday_cli.db.migrations_record import Applied, Event
from birthday_cli.db.queries import query
from birthday_cli.errors import BdayschedError, NotUpToDate, UsageError

_LONGEST_DIFFERENCE = 100


class State(StrEnum):
    """How a migration stands. GONE is a missing file that was accepted."""

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "edited"
    MISSING = "missing"
    LATE = "late"
    GONE = "gone"


WRONG = frozenset({State.EDITED, State.MISSING, State.LATE})


@dataclass(frozen=True)
class Standing:
    """One migration in one database: the file, and what was recorded, where they are there."""

    version: str
    file: str
    state: State
    applied_at: datetime | None = None
    migration: Migration | None = field(default=None, repr=False)
    applied: Applied | None = field(default=None, repr=False)

    @property
    def difference(self) -> str:
        """What changed since it was applied, as a unified difference; empty if nothing did."""
        if self.state not in WRONG:
            return ""
        if self.applied and self.applied.content is None:
            return "what the file said when it was applied was not kept by the version of then"
        before, after = (self.applied, self.migration)
        lines = list(
            difflib.unified_diff(
                (before.content or "").splitlines() if before else [],
                after.text.splitlines() if after else [],
                f"{before.file}, applied {before.applied_at:%Y-%m-%d %H:%MZ}" if before else "none",
                f"{after.file}, now" if after else "none",
                lineterm="",
            )
        )
        left_out = len(lines) - _LONGEST_DIFFERENCE
        if left_out > 0:
            lines[_LONGEST_DIFFERENCE:] = [f"({left_out} more lines)"]
        return "\n".join(lines)


def standings(connection: Connection) -> list[Standing]:
    """Return every migration that the program carries or the database has had, in order."""
    done = record.applied(connection)
    carried = {migration.version: migration for migration in available()}
    accepted = record.accepted(connection)
    last = max(done, default="")
    return [
        _had(done[version], carried.get(version), accepted)
        if version in done
        else _to_come(carried[version], last, accepted)
        for version in sorted(carried.keys() | done.keys())
    ]


def _had(
    applied: Applied, migration: Migration | None, accepted: set[tuple[Event, str, str]]
) -> Standing:
    version, at = applied.version, applied.applied_at
    if migration:
        same = applied.checksum == migration.checksum
        state = State.APPLIED if same else State.EDITED
        return Standing(version, migration.file, state, at, migration, applied)
    is_accepted = (Event.MISSING, version, applied.checksum) in accepted
    state = State.GONE if is_accepted else State.MISSING
    return Standing(version, applied.file, state, at, None, applied)


def _to_come(migration: Migration, last: str, accepted: set[tuple[Event, str, str]]) -> Standing:
    version = migration.version
    in_order = version > last or (Event.LATE, version, migration.checksum) in accepted
    state = State.PENDING if in_order else State.LATE
    return Standing(version, migration.file, state, None, migration)


def pending(connection: Connection, to: str | None = None) -> list[Migration]:
    """Return the migrations still to be applied, in order, up to version `to`.

    Raises what `unrecorded` raises, and NotUpToDate when the tables are there without a record.
    """
    if not record.applied(connection):
        _require_room(connection)
    return unrecorded(connection, to)


def unrecorded(connection: Connection, to: str | None = None) -> list[Migration]:
    """Return the migrations that are not recorded as applied, in order, up to version `to`.

    Raises NotUpToDate, naming the file and with the difference as its detail, when an applied one
    was edited or has gone, or when one that was never applied comes before one that was; and
    UsageError for a version that there is not.
    """
    found = standings(connection)
    wrong = [standing for standing in found if standing.state in WRONG]
    if wrong:
        raise _refusal(wrong, found)
    if to and to not in {standing.version for standing in found}:
        raise UsageError(f"--to {to}: there is no such migration; the last is {found[-1].version}")
    return [
        standing.migration
        for standing in found
        if standing.migration
        and standing.state is State.PENDING
        and (not to or standing.version <= to)
    ]


def _require_room(connection: Connection) -> None:
    rows: list[Any] = connection.execute(query("schema/list_our_tables")).fetchall()
    if rows:
        tables = " and ".join(name for (name,) in rows)
        raise NotUpToDate(
            f"this database has {tables} and no record of migrations, so another program made it:"
            " check DATABASE_URL, or adopt it with `bdaysched schema baseline`"
        )


def had(connection: Connection) -> list[Migration]:
    """Return the migrations that the database has had, as they were recorded, as they came.

    Raises BdayschedError when one of them was not kept by an early version of the program.
    """
    carried = {migration.version: migration for migration in available()}
    done = sorted(
        record.applied(connection).values(), key=lambda one: (one.applied_at, one.version)
    )
    return [_as_recorded(applied, carried.get(applied.version)) for applied in done]


def _as_recorded(applied: Applied, carried: Migration | None) -> Migration:
    if applied.content is not None:
        return Migration(applied.version, applied.name, applied.content)
    if carried and carried.checksum == applied.checksum:
        return carried
    raise BdayschedError(
        f"what {applied.file} said when it was applied was not kept by the version of then, so"
        " that its schema cannot be made again: put the file back"
    )


def _refusal(wrong: list[Standing], found: list[Standing]) -> NotUpToDate:
    first = wrong[0]
    repair = f"`bdaysched schema repair {first.version} --reason …`"
    if first.state is State.MISSING:
        text = (
            f"{first.file} was applied to this database and is not in this version of the program:"
            f" install the version that carries it, or accept that it is gone with {repair}"
        )
    elif first.state is State.EDITED:
        text = (
            f"{first.file} was edited after it was applied: restore the file, and put the change"
            f" into a new migration, or accept it with {repair}"
        )
        if first.applied and first.applied.file != first.file:
            text = (
                f"{first.file} has the number of {first.applied.file}, which was applied to this"
                f" database: give it the next free number, or accept it with {repair}"
            )
    else:
        last = max(standing.version for standing in found if standing.applied)
        text = (
            f"{first.file} is older than {last}, which was applied already: give it the next free"
            f" number, or accept it with {repair}"
        )
    if len(wrong) > 1:
        text += f". {len(wrong) - 1} more: see `bdaysched schema status`"
    problem = NotUpToDate(text)
    problem.detail = first.difference
    return problem
