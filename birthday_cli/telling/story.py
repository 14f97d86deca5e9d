"""An explanation in sentences: who the user is, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from birthday_cli.domain.months import Month
from birthday_cli.telling.message_story import Chapter
from birthday_cli.telling.prose import NEXT_RUN, duration, instant, on_day, printable, unusual

if TYPE_CHECKING:
    from birthday_cli.domain.explanation import Next
    from birthday_cli.pipeline.looking.explain import Explanation

_LEAP_DAYS = {
    "feb-28": "28 February in years without one",
    "mar-1": "1 March in years without one",
    "skip": "nothing but 29 February, in leap years",
}


def who(found: Explanation) -> Iterator[str]:
    """Yield what is known of the user, a sentence each."""
    user = found.user
    yield printable(f"{user.first_name} {user.last_name} <{user.email}>")
    yield (
        f"lives in {user.timezone}: now {found.local_time[:16]}, UTC{found.utc_offset}"
        f" (time-zone data {found.time_zone_data})"
    )
    for message_type, month_day in user.dates.items():
        if not month_day:
            yield f"{message_type}: no date, so none is sent"
        elif month_day == "02-29":
            rule = found.settings.leap_day
            yield f"{message_type} on 02-29: celebrated on {_LEAP_DAYS[rule]} (LEAP_DAY={rule})"
        else:
            yield f"{message_type} on {month_day}"
    yield f"id {user.id}"
    yield f"added {instant(user.created_at)}, last changed {instant(user.updated_at)}"
    if user.deleted_at:
        yield f"DELETED at {instant(user.deleted_at)}: nothing is sent from then on"
    if user.changed_at:
        yield (
            f"added or changed at {instant(user.changed_at)}, and not planned since:"
            f" {NEXT_RUN} does that"
        )


def coming(message: Next, found: Explanation) -> Chapter:
    """Return what is to be said of the next message of a type."""
    clock = on_day(message.local_time, message.delivery_date)
    title = (
        f"next {message.message_type}: {message.delivery_date:%A} {message.delivery_date} at"
        f" {clock} by their clock, UTC{message.utc_offset}, which is"
        f" {instant(message.scheduled_send_time)}"
    )
    return Chapter(title, [], list(_notes(message, found)))


def _notes(message: Next, found: Explanation) -> Iterator[str]:
    if message.scheduled_send_time <= found.now:
        late = (found.now - message.scheduled_send_time).total_seconds()
        yield f"it is due, and {duration(late)} late"
    if change := message.changed_offset:
        yield (
            "the offset differs from today's because the clocks change on"
            f" {instant(change.at)}, from UTC{change.offset_before} to UTC{change.offset_after}"
        )
    if message.unusual_clock:
        yield unusual(message.unusual_clock, message.local_time)
    limit = found.settings.max_lateness_seconds
    yield (
        f"too late from {instant(message.expires_at)} on"
        f" ({f'MAX_LATENESS={duration(limit)}' if limit else 'the end of their day'})"
    )
    missing = ""
    if not message.has_partition:
        ahead = Month.of(message.scheduled_send_time).months_after(Month.of(found.now))
        missing = f", which is not there yet: `bdaysched create-partitions {ahead}`"
    yield f"kept in {message.partition}{missing}"
    yield _planned(message, found)


def _planned(message: Next, found: Explanation) -> str:
    if message.planned_at and message.planned_for:
        text = f"planned at {instant(message.planned_at)}, and {message.status} now"
        if message.planned_for != message.scheduled_send_time:
            text += f", for {instant(message.planned_for)}: see below"
        return text
    if message.planned_by > found.now:
        ahead = duration(found.settings.schedule_horizon_seconds)
        return (
            f"not planned yet: it will be by {instant(message.planned_by)}, {ahead} before"
            " (SCHEDULE_HORIZON)"
        )
    if message.morning_planned_at and not found.user.changed_at:
        return (
            f"NOT PLANNED, though all others were at {instant(message.morning_planned_at)}:"
            " `bdaysched schedule --full` mends it"
        )
    return f"not planned yet: {NEXT_RUN} does that"
