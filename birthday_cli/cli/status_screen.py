"""What `status` shows of a status on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from birthday_cli.cli import output
from birthday_cli.telling.status import sentences as sentences
from birthday_cli.telling.status import verdict as verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

    from birthday_cli.pipeline.looking.status import Status


def screen(found: Status, now: datetime, before: Status | None = None) -> RenderableType:
    """Return the screen for a terminal; what is new since before is set off."""
    from rich.console import Group
    from rich.text import Text

    style = "bold red" if found.problems else "bold green"
    known = dict(sentences(before, now)) if before else None

    def is_new(row: Sequence[Any], index: int) -> bool:
        # How long ago something was changes all the time.
        return known is not None and index == 1 and known.get(row[0], "") != row[1]

    return Group(
        Text(verdict(found), style=style),
        Text(),
        output.rich_table(("what", "state"), sentences(found, now), marked=is_new),
    )
