"""A month written to a file with a manifest beside it, and read back before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import birthday_cli
from birthday_cli.archives import formats, private, store
from birthday_cli.archives.formats import Format
from birthday_cli.archives.private import DoesNotFit
from birthday_cli.archives.store import Store
from birthday_cli.db import archiving, migrations_record, partition_events
from birthday_cli.db.connect import Connection
from birthday_cli.db.partition_events import Kind
from birthday_cli.domain import manifest as manifests
from birthday_cli.domain.manifest import ENDING, TABLE, Column, Damaged, Manifest, Row, Tally
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError, UsageError


@dataclass(frozen=True)
class Archived:
    """An archive that was read back: where its manifest and file are, and what they hold.

    `bytes` is the file's size. `is_new` is false where it was there already.
    """

    partition: str
    manifest: str
    file: str
    rows: dict[str, int]
    bytes: int
    is_new: bool


class Opened(NamedTuple):
    """An archive that was verified: `path` is its data, as a file of this machine.

    `address` is where its manifest is.
    """

    manifest: Manifest
    path: Path
    address: str


def archive(connection: Connection, partition_name: str, to: str, done_by: str) -> Archived:
    """Write a month of message_logs to a file of the place `to`, and note that it is there.

    `to` is a folder or a URL. The file is Parquet where pyarrow is installed and takes every value,
    and CSV with gzip otherwise. It counts as archived once its manifest is there, which is written
    after what was stored was read back and had the rows that the server reckoned. A run that was
    killed before leaves no manifest, and is begun again; an archive of the same rows that is whole
    is taken as it is, and one that is not is replaced.

    connection is in autocommit mode, and its caller holds Lock.SCHEMA. Raises BdayschedError when
    the place keeps another archive of the month, cannot be written to, or gave back other bytes;
    nothing is noted then.
    """
    place = store.at(to)
    name = partition_name + ENDING
    with archiving.one_moment(connection):
        columns = archiving.columns(connection, partition_name)
        if not columns:
            raise BdayschedError(f"there is no table {partition_name}: nothing was archived")
        tally = archiving.tally(connection, partition_name, columns)
        manifest = _found(place, name, tally)
        is_new = manifest is None
        if manifest is None:
            for ending in (ENDING, *formats.ENDINGS):
                place.remove(partition_name + ending)
            manifest = _write(connection, place, partition_name, columns, tally, done_by)
    if is_new:
        _check_stored(place, manifest)
        with place.draft(name) as path, private.create(path) as file:
            file.write(manifests.write(manifest))
    _note(connection, partition_name, done_by, manifest, place.address(name))
    return Archived(
        partition_name,
        place.address(name),
        place.address(manifest.file),
        manifest.rows_by_status,
        manifest.bytes,
        is_new,
    )


def verify(file: str) -> Manifest:
    """Return the manifest of an archive all of whose rows were read; file is either of its files.

    Raises Damaged, or another BdayschedError, and says what is wrong.
    """
    with opened(file) as found:
        return found.manifest


@contextmanager
def opened(file: str) -> Iterator[Opened]:
    """Yield an archive, verified; file is the path or URL of its manifest or of its data.

    Raises as `verify` does.
    """
    where, name = store.split(file)
    place = store.at(where)
    endings = [ENDING, *formats.ENDINGS]
    stem = next((name.removesuffix(end) for end in endings if name.endswith(end)), None)
    if stem is None:
        raise UsageError(f"{file} is no archive: name its manifest, …{ENDING}, or its file")
    manifest = _read(place, stem + ENDING)
    if manifest is None:
        raise BdayschedError(
            f"there is no {place.address(stem + ENDING)}: without its manifest nobody can tell"
            " whether an archive is whole"
        )
    with place.fetched(manifest.file) as path:
        check(path, manifest, place.address(manifest.file))
        yield Opened(manifest, path, place.address(stem + ENDING))


def rows(path: Path, manifest: Manifest, where: str) -> Iterator[Row]:
    """Yield the rows of an archive's file. Raises Damaged when it cannot be read to its end."""
    try:
        yield from _format(manifest).rows(path, manifest.columns)
    except (ValueError, EOFError, OSError) as problem:
        said = " ".join(str(problem).split())
        raise Damaged(f"{where} cannot be read to its end: {said}") from problem


def check(path: Path, manifest: Manifest, where: str) -> None:
    """Read a file whole and compare it with its manifest; raises Damaged, and says in what."""
    size = path.stat().st_size
    if size != manifest.bytes:
        raise Damaged(f"{where} has {size:,} bytes, and its manifest says {manifest.bytes:,}")
    if _sha256(path) != manifest.sha256:
        raise Damaged(f"{where} is damaged: its SHA-256 is not that of its manifest")
    status = [column.name for column in manifest.columns].index("status")
    tally = Tally({}, {})
    for row in rows(path, manifest, where):
        tally.add(str(row[status]), row)
    if dict(tally.rows) != manifest.rows_by_status or sum(tally.rows.values()) != manifest.rows:
        raise Damaged(
            f"{where} has {sum(tally.rows.values()):,} rows ({_counted(tally.rows)}), and its"
            f" manifest says {manifest.rows:,} ({_counted(manifest.rows_by_status)})"
        )
    if not manifest.holds(tally):
        raise Damaged(f"{where} has other contents than its manifest says: a hash does not match")


def _counted(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(rows.items())) or "no rows"


def _read(place: Store, name: str) -> Manifest | None:
    text = place.read(name)
    return None if text is None else manifests.read(text, place.address(name))


def _found(place: Store, name: str, tally: Tally) -> Manifest | None:
    """Return the manifest of the archive that is there, if it is whole, and has these rows."""
    manifest = _read(place, name)
    if manifest is None:
        return None
    if not manifest.holds(tally):
        raise BdayschedError(
            f"{place.address(name)} is there already, an archive of other rows or values"
            f" ({_counted(manifest.rows_by_status)}; now there are {_counted(tally.rows)}):"
            " archive to another place, or move that one away"
        )
    try:
        _check_stored(place, manifest)
    except BdayschedError:
        # All that it should hold is still here.
        return None
    return manifest


def _check_stored(place: Store, manifest: Manifest) -> None:
    with place.fetched(manifest.file) as path:
        check(path, manifest, place.address(manifest.file))


def _write(
    connection: Connection,
    place: Store,
    name: str,
    columns: Sequence[Column],
    tally: Tally,
    done_by: str,
) -> Manifest:
    month = _month_of(name)
    applied = list(migrations_record.applied(connection))
    for form in formats.known():
        file = f"{name}.{form.NAME}"
        try:
            with (
                place.draft(file) as path,
                # A COPY that is broken off would end the transaction, but for this savepoint.
                connection.transaction(),
                closing(archiving.copy_out(connection, name, columns)) as csv,
            ):
                form.write(csv, columns, path)
                size, digest = path.stat().st_size, _sha256(path)
        except DoesNotFit:
            continue
        return Manifest(
            table=TABLE,
            partition=name,
            starts_at=month.start.isoformat(),
            ends_at=month.plus(1).start.isoformat(),
            rows=sum(tally.rows.values()),
            rows_by_status=dict(tally.rows),
            hash_by_status=tally.hashes,
            file=file,
            format=form.NAME,
            bytes=size,
            sha256=digest,
            columns=list(columns),
            schema_version=applied[-1] if applied else None,
            program_version=birthday_cli.__version__,
            archived_at=datetime.now(UTC).isoformat(),
            archived_by=done_by,
        )
    raise AssertionError("the last format takes everything")


def _month_of(name: str) -> Month:
    year, month = name.removeprefix(f"{TABLE}_").split("_")
    return Month(int(year), int(month))


def _format(manifest: Manifest) -> Format:
    for form in formats.known():
        if manifest.format == form.NAME:
            return form
    raise UsageError(
        f"{manifest.file} is {manifest.format}, and what reads it is not installed:"
        " pip install 'bdaysched[archive]'"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note(
    connection: Connection, partition: str, done_by: str, manifest: Manifest, where: str
) -> None:
    """Write down that the month is archived, unless that is the last thing that was."""
    events = partition_events.of(connection, partition)
    noted = [event for event in events if event.event is Kind.ARCHIVED]
    rows = dict(manifest.rows_by_status)
    if not noted or (noted[-1].archive, noted[-1].rows) != (where, rows):
        partition_events.note(connection, partition, Kind.ARCHIVED, done_by, rows, where)
