"""How instants, times, sizes and quotations are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from birthday_cli.domain.clocks import Change

NEXT_RUN = "the next `bdaysched schedule`"
_LONGEST_QUOTE = 200
_UNITS = ("B", "kB", "MB", "GB", "TB")


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


def cell(value: Any) -> str:
    """Return value as text: instants in ISO 8601 UTC, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def heading(column: str) -> str:
    """Return a column's name as people read it; its unit stands in the cells."""
    return column.removesuffix("_bytes").removesuffix("_seconds").replace("_", " ")


def for_people(value: Any, column: str) -> str:
    """Return value as people read it in a column of that name.

    Those named `…_bytes` or `…_seconds` have units, and midnight is a date in one named
    `…_instant`.
    """
    if column.endswith("_bytes") and isinstance(value, int):
        return size(value)
    if column.endswith("_seconds") and isinstance(value, int | float):
        return duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        is_bound = column.endswith("_instant") and moment.time() == time()
        return f"{moment:%Y-%m-%d}" if is_bound else f"{moment:%Y-%m-%d %H:%M}Z"
    return cell(value)


def size(count: int) -> str:
    """Return count bytes for people, such as `3.4 MB`."""
    amount, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a time for people, such as `3.1 s`, `2 min 5 s` or `48 h`."""
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    large, names = divmod(whole, 60), ("min", "s")
    if whole >= 3600:
        large, names = divmod(whole // 60, 60), ("h", "min")
    if whole >= 360_000:
        large, names = divmod(whole // 3600, 24), ("d", "h")
    return f"{large[0]} {names[0]}" + (f" {large[1]} {names[1]}" if large[1] else "")
