"""The migration files that the program carries; beside this, what a database knows of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from birthday_cli.db import queries
from birthday_cli.domain import statements
from birthday_cli.domain.statements import Malformed, Script
from birthday_cli.errors import BdayschedError

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One migration: `0007`, `add_a_column`, and its text, whose lines end with LF."""

    version: str
    name: str
    text: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.version}_{self.name}.sql"

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def script(self) -> Script:
        """What the text says; BdayschedError, with file, line and column, if it is half-written."""
        try:
            return statements.parse(self.text)
        except Malformed as problem:
            raise BdayschedError(
                f"{self.file}:{problem.line}:{problem.column}: {problem.why}. Nothing was applied:"
                " mend the file"
            ) from problem


def directory() -> Path:
    """Return the folder of the migrations."""
    return queries.directory() / "migrations"


def available() -> list[Migration]:
    """Return the migrations that the program carries, in order.

    Raises BdayschedError when there is none, for a file that is not named NNNN_name.sql or is not
    UTF-8, and for a number used twice.
    """
    found: dict[str, Migration] = {}
    for path in sorted(directory().glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if not match:
            raise BdayschedError(f"{path.name} is not named like 0007_add_a_column.sql")
        if match[1] in found:
            raise BdayschedError(f"{path.name} and {found[match[1]].file} share a number")
        found[match[1]] = Migration(match[1], match[2], _read(path))
    if not found:
        raise BdayschedError(
            f"there is no migration in {directory()}: install the program again, whole"
        )
    return list(found.values())


def _read(path: Path) -> str:
    """Return the text of path, with LF line ends and no byte order mark.

    A file means the same, and has the same checksum, however an editor or Git has left its lines.
    """
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise BdayschedError(
            f"{path.name}:{line}: byte 0x{content[problem.start]:02x} is not UTF-8 (the file may be"
            " in Latin-1): save it as UTF-8"
        ) from problem
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BdayschedError(f"{path.name}:{line}: holds a NUL character: save the file as UTF-8")
    return text
