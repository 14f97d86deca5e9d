"""The records of a CSV file; one that is broken costs no more than its first line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Record(NamedTuple):
    """The cells of a record and the number of the line it begins on, counted from 1.

    With a `problem` it is no CSV, and the line is the only cell.
    """

    line: int
    cells: list[str]
    problem: str = ""


def records(source: Iterable[str]) -> Iterator[Record]:
    """Yield the records of the lines of a file, without the empty ones.

    The lines come with their ends, as of a file that was opened with newline="". A quote that
    opens by mistake runs on until another one contradicts it, or to the limit of a cell, 131,072
    characters. Its line is a problem then, and those after it are read once more.
    """
    lines = _Lines(source)
    reader = csv.reader(lines, strict=True)
    number = 1
    while True:
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            yield Record(number, [lines.give_back().rstrip("\r\n")], str(problem))
            number += 1
            continue
        if cells:
            yield Record(number, cells)
        number += len(lines.taken)


class _Lines(Iterator[str]):
    """Lines, of which those of the latest record can be given back, all but the first."""

    def __init__(self, source: Iterable[str]) -> None:
        self.taken: list[str] = []
        self._source = iter(source)
        self._again: deque[str] = deque()

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._source)
        self.taken.append(line)
        return line

    def give_back(self) -> str:
        """Return the first line of the record; the others will come again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        return first
