"""CSV as PostgreSQL writes it, compressed with gzip: nothing but the standard library.

A value that is empty and not in quotes is NULL, as in PostgreSQL's own COPY.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from birthday_cli.archives import private
from birthday_cli.domain.manifest import Column, Row

NAME = "csv.gz"

_LEVEL = 6
_BUFFER = 2**18
# Python's own reader tells NULL from an empty string only from 3.12 on.
_FIELD = re.compile(r'("[^"]*(?:""[^"]*)*"|[^",\n]*)[,\n]')


def write(csv: Iterable[bytes], columns: Sequence[Column], path: Path) -> None:  # noqa: ARG001
    """Write the rows; everything fits."""
    with (
        private.create(path) as file,
        gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
        io.BufferedWriter(packed, _BUFFER) as buffer,
    ):
        for piece in csv:
            buffer.write(piece)


def rows(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """Yield the rows. Raises ValueError, EOFError or OSError when the file is damaged."""
    names = [column.name for column in columns]
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            for number, row in enumerate(map(_values, _records(lines))):
                if len(row) != len(names) or (number == 0 and row != names):
                    raise ValueError(f"row {number} has other columns")
                if number:
                    yield row
    except zlib.error as problem:
        raise ValueError(str(problem)) from problem


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Yield one row after the other; a line break in a value does not end it."""
    pieces: list[str] = []
    quotes = 0
    for line in lines:
        pieces.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            yield "".join(pieces)
            pieces, quotes = [], 0
    if pieces:
        raise EOFError("the last row is not whole")


def _values(record: str) -> list[str | None]:
    return [
        value[1:-1].replace('""', '"') if value[:1] == '"' else value or None
        for value in _FIELD.findall(record)
    ]
