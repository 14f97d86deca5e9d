"""A message's wording: text with named fields, each a column of users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import NamedTuple

from birthday_cli.domain.user import COLUMNS


class Piece(NamedTuple):
    """Some text, and the field that follows it, if any."""

    text: str
    field: str | None


@dataclass(frozen=True)
class Template:
    """A wording that was checked: every field in it is a column of users."""

    pieces: tuple[Piece, ...]

    def compose(self, fields: Mapping[str, str | None]) -> str:
        """Return the wording with fields filled in; one that is None leaves nothing."""
        return "".join(
            text + ((fields[field] or "") if field else "") for text, field in self.pieces
        )


def parse(text: str) -> Template:
    """Return the template that text is: `{first_name}` is a field, `{{` and `}}` are braces.

    Raises ValueError that names what is not a field.
    """
    if "\x00" in text:
        raise ValueError("a template cannot hold a NUL character")
    try:
        found = list(Formatter().parse(text))
    except ValueError as problem:
        raise ValueError(f"{problem}: a brace that is meant is written twice") from problem
    for _, field, form, conversion in found:
        if field is not None and (field not in COLUMNS or form or conversion):
            written = (
                field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            )
            raise ValueError(f"{{{written}}} is not a field: choose from {', '.join(COLUMNS)}")
    return Template(tuple(Piece(literal, field) for literal, field, _, _ in found))
