"""The manifest of an archived month: what its file holds, and how to tell that it still does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError

ENDING = ".manifest.json"
TABLE = "message_logs"
Row = Sequence[str | None]
"""A row as PostgreSQL writes its columns as text, in UTC; None stands for NULL."""

_VERSION = 1
_HASHES = 2**64
_encode = json.JSONEncoder(ensure_ascii=False).encode


class Damaged(BdayschedError):
    """An archive is not, or not any more, what its manifest says."""


class Column(NamedTuple):
    """A column as the archived table had it; `type` as PostgreSQL's format_type() names it."""

    name: str
    type: str
    is_generated: bool


class Tally:
    """How many rows of each status there are, and what their contents add up to.

    A row's hash is made of its text as a JSON array, `["6f…", "BIRTHDAY", null]`, in UTF-8: the
    first 8 bytes of its SHA-256, as a whole number. Those of all rows of a status are added up,
    modulo 2^64, so that their order is of no account. PostgreSQL does the same in
    sql/archives/tally.sql.
    """

    def __init__(self, rows: Mapping[str, int], sums: Mapping[str, int]) -> None:
        self.rows = Counter(rows)
        self._sums = Counter(sums)

    def add(self, status: str, row: Row) -> None:
        """Count a row in."""
        self.rows[status] += 1
        self._sums[status] += int.from_bytes(sha256(_encode(row).encode()).digest()[:8], "big")

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of the rows of each status, in 16 hexadecimal digits."""
        return {status: f"{self._sums[status] % _HASHES:016x}" for status in sorted(self.rows)}


@dataclass(frozen=True)
class Manifest:
    """What is known of an archived month: which, how much, in which file, of which columns.

    `schema_version` is that of the last migration, None in a database without a record of them.
    """

    table: str
    partition: str
    starts_at: str
    ends_at: str
    rows: int
    rows_by_status: dict[str, int]
    hash_by_status: dict[str, str]
    file: str
    format: str
    bytes: int
    sha256: str
    columns: list[Column]
    schema_version: str | None
    program_version: str
    archived_at: str
    archived_by: str

    @property
    def month(self) -> Month:
        """The month that was archived."""
        return Month.of(datetime.fromisoformat(self.starts_at))

    def holds(self, tally: Tally) -> bool:
        """Whether the archive has exactly the rows that were counted into tally."""
        return dict(tally.rows) == self.rows_by_status and tally.hashes == self.hash_by_status


def write(manifest: Manifest) -> bytes:
    """Return the manifest as a JSON document, which ends with a checksum of the rest."""
    content = {"manifest_version": _VERSION, **asdict(manifest)}
    content["columns"] = [column._asdict() for column in manifest.columns]
    content["checksum"] = _checksum(content)
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def read(text: bytes, where: str) -> Manifest:
    """Return the manifest that text is; where says in errors which it is.

    Raises Damaged when it is none, was edited, or is not one of a month of message_logs.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        stated = content.pop("checksum")
        version = content.pop("manifest_version")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Damaged(f"{where} is not the manifest of an archive, or was cut off") from problem
    if stated != _checksum({"manifest_version": version, **content}):
        raise Damaged(f"{where} was edited, or is damaged: its checksum does not match")
    if version != _VERSION:
        raise Damaged(
            f"{where} is of version {version}, and this program reads version {_VERSION}:"
            " use the program that wrote it, or a newer one"
        )
    try:
        content["columns"] = [Column(**column) for column in content["columns"]]
        content["rows_by_status"] = dict(content["rows_by_status"])
        manifest = Manifest(**content)
        month = manifest.month
    except (TypeError, KeyError, ValueError) as problem:
        raise Damaged(f"{where} lacks what a manifest has to say: {problem}") from problem
    if manifest.table != TABLE:
        raise Damaged(f"{where} is of the table {manifest.table}, not of {TABLE}")
    bounds = (month.start.isoformat(), month.plus(1).start.isoformat())
    if (manifest.starts_at, manifest.ends_at) != bounds or (
        manifest.partition != month.partition_of(TABLE)
    ):
        raise Damaged(
            f"{where} is of {manifest.partition}, from {manifest.starts_at} to {manifest.ends_at},"
            " which is no month"
        )
    if "/" in manifest.file:
        raise Damaged(f"{where} names a file in another folder: {manifest.file}")
    return manifest


def _checksum(content: dict[str, Any]) -> str:
    plain = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(plain.encode()).hexdigest()
