"""The formats that a month can be archived in, each a module with the same functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from birthday_cli.domain.manifest import Column, Row

ENDINGS = (".csv.gz", ".parquet")
"""What the names of archives' files end with, whether the program can read them here or not."""


class Format(Protocol):
    """How the rows of a table become a file, and come back."""

    NAME: str
    """What the manifest calls it; also what follows the dot in a file's name."""

    def write(self, csv: Iterable[bytes], columns: Sequence[Column], path: Path) -> None:
        """Write to a new file what `COPY … TO STDOUT (FORMAT csv, HEADER)` sends, line by line.

        Raises DoesNotFit when a value has no place in the format.
        """

    def rows(self, path: Path, columns: Sequence[Column]) -> Iterator[Row]:
        """Yield the rows of a file. Raises ValueError, EOFError or OSError when it is damaged."""


def known() -> list[Format]:
    """Return the formats that are there, the one to be preferred first; the last takes anything."""
    from birthday_cli.archives import csv_gzip, parquet

    modules: list[ModuleType] = [csv_gzip]
    if find_spec("pyarrow"):
        modules.insert(0, parquet)
    return [cast("Format", module) for module in modules]
