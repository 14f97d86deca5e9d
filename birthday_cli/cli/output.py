"""Showing results: tables for people, TSV or JSON for programs; messages go to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from birthday_cli.errors import redact
from birthday_cli.telling.prose import cell as cell
from birthday_cli.telling.prose import duration as duration
from birthday_cli.telling.prose import for_people, heading
from birthday_cli.telling.prose import size as size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def tell(text: str) -> None:
    """Print one line of message, progress or warning."""
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    """Print the one line that explains why a command ends, with no password in it."""
    line = f"bdaysched: {redact(text)}"
    tell(f"\033[31m{line}\033[0m" if _in_colour() else line)


def _in_colour() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def print_json(value: Any) -> None:
    """Print value as one JSON document; instants in ISO 8601, UTC."""
    import json

    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    print(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return cell(value)


def is_terminal() -> bool:
    """Whether a person reads what is printed."""
    return sys.stdout.isatty()


def print_drawn(picture: RenderableType) -> None:
    """Print what rich draws."""
    from rich.console import Console

    Console().print(picture)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None
) -> None:
    """Print rows: a table on a terminal, tab-separated values anywhere else.

    On a terminal columns named `…_bytes` or `…_seconds` have units, and midnight is a date in one
    named `…_instant`. A cell of a terminal may be rich's Text, with a style of its own.
    """
    if not is_terminal():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(_tsv(value) for value in row))
        return
    print_drawn(rich_table(columns, rows, title))


def rich_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str | None = None,
    marked: Callable[[Sequence[Any], int], bool] = lambda _row, _index: False,
) -> Table:
    """Return rows as a table for a terminal, as print_table has it.

    A cell is set off for which `marked` is true, of the row and the cell's number.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    materialised = [list(row) for row in rows]
    for index, column in enumerate(columns):
        values = [row[index] for row in materialised]
        table.add_column(
            heading(column),
            justify="right" if all(isinstance(value, int | float) for value in values) else "left",
            overflow="fold",
            # A line is found by its name, in the first column: the others give way.
            no_wrap=index == 0,
        )
    for row in materialised:
        table.add_row(
            *(
                value
                if isinstance(value, Text)
                else Text(
                    for_people(value, name), style="bold reverse" if marked(row, index) else ""
                )
                for index, (name, value) in enumerate(zip(columns, row, strict=True))
            )
        )
    return table


def _tsv(value: Any) -> str:
    return cell(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
