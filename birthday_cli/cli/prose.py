"""How sentences are laid out, and how what they tell of is written, at 80 columns."""

from __future__ import annotations

import textwrap
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from birthday_cli.domain.clocks import Change

NEXT_RUN = "the next `bdaysched schedule`"
_WIDTH = 80
_LONGEST_QUOTE = 200


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


def instant(moment: datetime) -> str:
    """Return moment as people read it, in UTC, such as `2027-02-28 09:00Z`."""
    return short(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}") + "Z"


def on_day(local_time: str, day: date) -> str:
    """Return what a clock shows, without the date if that is day."""
    return short(local_time).removeprefix(f"{day} ")


def short(shown: str) -> str:
    """Return what a clock shows without its seconds, if these are none."""
    return shown.removesuffix(":00") if shown.count(":") == 2 else shown


def quoted(text: str) -> str:
    """Return the start of text in quotes, fit for a terminal."""
    if len(text) > _LONGEST_QUOTE:
        text = f"{text[:_LONGEST_QUOTE]}…"
    return f"“{printable(text)}”"


def printable(text: str) -> str:
    """Return text with whatever steers a terminal spelt out; others wrote it."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def unusual(change: Change, local_time: str) -> str:
    """Return what change means for a time of day that it leaves out or repeats."""
    before, after = short(change.clock_before), short(change.clock_after)
    if before[:10] == after[:10]:
        before, after = before[11:], after[11:]
    if change.clock_after > change.clock_before:
        return (
            f"the clocks there go from {before} to {after}, past its time of day: so it is for"
            f" {short(local_time)}"
        )
    return (
        f"the clocks there go back from {before} to {after}, and show {short(local_time)[11:]}"
        " twice: the first counts"
    )
