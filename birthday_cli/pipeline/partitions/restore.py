"""A month is brought back from its archive: attached to message_logs, or as a table beside it."""

from __future__ import annotations

from dataclasses import dataclass

from birthday_cli.config import Settings
from birthday_cli.db import archiving, partition_events, partitions, restoring, roles
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.partition_events import Kind
from birthday_cli.db.partitions import GUARD, MESSAGES, WAIT, Partition, State
from birthday_cli.db.restoring import Loaded
from birthday_cli.domain.manifest import Manifest
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.partitions import archive, months
from birthday_cli.pipeline.partitions.archive import Opened

_LOCK_WAIT = 60.0


@dataclass(frozen=True)
class Restored:
    """What came back: into which table, and how many rows by status.

    `left_out` are the rows of users who have been erased. `is_new` is false where an earlier run
    had brought it back, or it had never gone.
    """

    partition: str
    table: str
    is_attached: bool
    rows: dict[str, int]
    left_out: int
    is_new: bool


def restore(
    settings: Settings,
    file: str,
    beside: bool = False,
    skip_erased: bool = False,
    dry_run: bool = False,
    wait: float = WAIT,
) -> Restored:
    """Bring an archived month back, every column byte for byte as it was.

    The archive is verified first. Its rows are loaded in one transaction into a table of its own,
    compared there with the hashes of the manifest by the server, and tied to users, so that
    `users erase` reaches them. `beside` leaves it at that; otherwise the month is attached, which
    is done in short attempts. A run that was killed is completed by the next.

    Nobody who was erased is brought back: rows whose user is gone are refused, and left out if
    `skip_erased` says so. `dry_run` does all of it but attaching, and takes it back.

    Raises Damaged for an archive that is not what its manifest says; BdayschedError when the month
    is there and holds other rows, or message_logs has other columns by now; Locked when locks do
    not come within `wait` seconds. Nothing has changed then.
    """
    with (
        archive.opened(file) as opened,
        connect(settings, "bdaysched restore-partition") as connection,
    ):
        partitions.require_table(connection)
        manifest = opened.manifest
        _require_columns(connection, manifest)
        table = f"{manifest.partition}_restored" if beside else manifest.partition
        with advisory_lock(connection, Lock.SCHEMA, wait=max(wait, _LOCK_WAIT)):
            loaded = _already_there(connection, manifest, table, beside, dry_run, wait)
            is_new = loaded is None
            if loaded is None:
                loaded = _load(connection, opened, table, beside, skip_erased, dry_run, wait)
            if not dry_run and _finish(connection, manifest, table, beside, wait):
                partition_events.note(
                    connection,
                    table,
                    Kind.RESTORED,
                    connection.info.user,
                    loaded.rows,
                    opened.address,
                )
        return Restored(manifest.partition, table, not beside, loaded.rows, loaded.left_out, is_new)


def _require_columns(connection: Connection, manifest: Manifest) -> None:
    if lacking := restoring.columns_lacking(connection, manifest):
        raise BdayschedError(
            f"the archive is of schema {manifest.schema_version}, and message_logs of this"
            f" database has no column {', '.join(lacking)}: restore it into a database of that"
            f" schema (`bdaysched migrate --to {manifest.schema_version}`)"
        )


def _already_there(
    connection: Connection,
    manifest: Manifest,
    table: str,
    beside: bool,
    dry_run: bool,
    wait: float,
) -> Loaded | None:
    """Return what the month holds, if it is this archive's; make room, if it is empty."""
    if not archiving.columns(connection, table):
        return None
    rows = partitions.count_by_status(connection, table)
    if restoring.is_of(connection, manifest, table) or manifest.holds(
        archiving.tally(connection, table, manifest.columns)
    ):
        return Loaded(rows, manifest.rows - sum(rows.values()))
    if rows or beside:
        held = ", ".join(f"{count:,} {status}" for status, count in rows.items()) or "no rows"
        way_out = "drop it first" if beside else "--beside makes a table of its own for the archive"
        raise BdayschedError(
            f"{table} is there already, and holds other rows than the archive ({held}):"
            f" nothing was changed. {way_out}"
        )
    if not dry_run:
        _remove_empty(connection, manifest, table, wait)
    return None


def _remove_empty(connection: Connection, manifest: Manifest, table: str, wait: float) -> None:
    """Drop an empty month, unless somebody has written to it until it was detached."""
    there = _state(connection, table)
    partitions.detach(connection, there, wait)
    if partitions.count_by_status(connection, table):
        partitions.attach_month(connection, MESSAGES, manifest.month, wait)
        raise BdayschedError(f"{table} is being written to: nothing was changed")

    def note() -> None:
        partition_events.note(connection, table, Kind.DROPPED, connection.info.user, {})

    partitions.drop(connection, table, note, wait)


def _state(connection: Connection, table: str) -> Partition:
    known = (*partitions.existing(connection, MESSAGES), *partitions.detached(connection))
    for partition in known:
        if partition.name == table:
            return partition
    raise BdayschedError(
        f"there is a table {table} that is no month of message_logs: rename or drop it"
    )


def _load(
    connection: Connection,
    opened: Opened,
    table: str,
    beside: bool,
    skip_erased: bool,
    dry_run: bool,
    wait: float,
) -> Loaded:
    """Make the table, whole or not at all."""
    manifest = opened.manifest
    if dry_run:
        # The month itself may be there, empty.
        table = f"{manifest.partition}_dry_run"
    elif not beside:
        _make_guard_months(connection, manifest, wait)
    with connection.transaction(force_rollback=dry_run):
        restoring.create(connection, manifest, table)
        rows = archive.rows(opened.path, manifest, manifest.file)
        restoring.load(connection, manifest, table, rows)
        left_out = restoring.delete_erased(connection, manifest, table)
        if left_out and not skip_erased:
            raise BdayschedError(
                f"{left_out:,} of the {manifest.rows:,} messages of {manifest.partition} are of"
                " users who have been erased, and are not brought back: --skip-erased restores the"
                " others. Nothing was changed"
            )
        if not beside:
            _require_no_doubles(connection, manifest, table)
        if not dry_run:
            if not beside:
                restoring.take_places(connection, manifest, table)
            restoring.note_origin(connection, manifest, table)
            restoring.tie_to_users(connection, manifest, table, wait)
        return Loaded(partitions.count_by_status(connection, table), left_out)


def _make_guard_months(connection: Connection, manifest: Manifest, wait: float) -> None:
    there = months.there(connection)
    for pair in months.between(manifest.month, manifest.month):
        if pair[0] == GUARD and pair not in there:
            partitions.create_month(connection, *pair, wait)


def _require_no_doubles(connection: Connection, manifest: Manifest, table: str) -> None:
    if doubles := restoring.doubles(connection, manifest, table):
        raise BdayschedError(
            f"for {doubles:,} messages of the archive message_logs has another one of the same"
            " user, type and date: --beside makes a table of its own for the archive. Nothing was"
            " changed"
        )


def _finish(
    connection: Connection, manifest: Manifest, table: str, beside: bool, wait: float
) -> bool:
    """Do what is left to do for a table that is loaded; return whether that is to be noted."""
    if not restoring.validate(connection, table):
        # A run that was to drop the month was killed when it had begun.
        restoring.tie_to_users(connection, manifest, table, wait)
        restoring.validate(connection, table)
    is_back = False
    if not beside:
        there = _state(connection, table)
        if there.state is State.PENDING:
            partitions.detach(connection, there, wait)
        if there.state is not State.ATTACHED:
            partitions.analyze(connection, table)
            partitions.guard_triggers(connection, table, wait)
            partitions.attach_month(connection, MESSAGES, manifest.month, wait)
            partitions.analyze(connection, MESSAGES)
            is_back = True
        roles.grant(connection)
    if is_back or restoring.is_of(connection, manifest, table):
        events = partition_events.of(connection, table)
        return not events or events[-1].event is not Kind.RESTORED
    return False
