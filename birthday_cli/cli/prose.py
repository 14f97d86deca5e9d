"""How sentences are laid out at 80 columns."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

from birthday_cli.telling.prose import printable as printable

_WIDTH = 80


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Return text as lines, those after the first indented further."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 3),
        break_on_hyphens=False,
    )


def step(at: datetime | None, text: str) -> list[str]:
    """Return text as lines beside an instant, or beside nothing where it is not known."""
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if at else ""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"   {when:20}  ",
        subsequent_indent=" " * 25,
        break_on_hyphens=False,
    )
