"""What became of a user's messages, step by step, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from birthday_cli.domain.explanation import RETRIED
from birthday_cli.telling.prose import (
    NEXT_RUN,
    duration,
    instant,
    on_day,
    printable,
    quoted,
    unusual,
)

if TYPE_CHECKING:
    from birthday_cli.domain.explanation import Attempt, Gone, Row, Told
    from birthday_cli.pipeline.looking.explain import Explanation


class Chapter(NamedTuple):
    """What became of one message, or will: steps with their instants, if known, and notes."""

    title: str
    steps: list[tuple[datetime | None, str]]
    notes: list[str]


def message(told: Told, found: Explanation) -> Chapter:
    """Return the story of a message."""
    row = told.row
    outcome = row.status
    if told.lateness_seconds is not None:
        outcome += f", {_lateness(told.lateness_seconds)}"
    elif row.retry_count:
        outcome += f", {_attempts(row.retry_count)} before"
    title = f"{row.message_type} for {row.delivery_date}: {outcome}"
    return Chapter(title, list(_steps(told, found)), list(_notes(told, found)))


def _steps(told: Told, found: Explanation) -> Iterator[tuple[datetime | None, str]]:
    row = told.row
    clock = on_day(told.local_time, row.delivery_date)
    due = f"due: {clock} by the clocks of {found.user.timezone}, UTC{told.utc_offset}"
    steps = [
        (row.created_at, f"planned: {quoted(row.message_content)}"),
        (row.scheduled_send_time, f"{due}; kept in {row.partition}"),
    ]
    # A message that was planned late was due before.
    yield from sorted(steps, key=lambda step: step[0])
    number = 0
    for attempt in row.attempts:
        if attempt.by:
            # Who lets a FAILED one be tried again gives it all its attempts anew.
            number = 0 if attempt.outcome == RETRIED else number
            yield attempt.ended_at, f"{attempt.outcome} by {printable(attempt.by)}"
        else:
            number += 1
            yield attempt.ended_at, f"attempt {number}: {_ended(attempt)}"
    yield from _last_steps(told)


def _ended(attempt: Attempt) -> str:
    text = attempt.outcome
    if attempt.error:
        text += f"; {printable(attempt.error)}"
    elif attempt.code:
        text += f"; answered {attempt.code}"
    return text


def _last_steps(told: Told) -> Iterator[tuple[datetime | None, str]]:
    row = told.row
    if row.status == "SENT":
        attempt = f" at attempt {row.retry_count + 1}" if row.retry_count else ""
        if told.sent_local_time and told.lateness_seconds is not None:
            lateness = _lateness(told.lateness_seconds)
            clock = told.sent_local_time.removeprefix(f"{row.delivery_date} ")
            text = f"sent{attempt}, {lateness}: {clock} by their clock{_answer(row)}"
            yield row.actual_send_time, text
        yield row.updated_at, "recorded as SENT"
    elif row.status == "FAILED":
        if row.last_retry_at and row.last_retry_at != row.updated_at and not row.attempts:
            yield row.last_retry_at, "the last attempt ended"
        yield row.updated_at, f"FAILED for good{_answer(row)}"
    else:
        if row.retry_count and not row.attempts:
            yield row.last_retry_at, f"attempt {row.retry_count} ended{_answer(row)}"
        yield from _unfinished(row)
    if row.expires_at and row.status not in ("SENT", "FAILED"):
        yield row.expires_at, "too late from then on"


def _unfinished(row: Row) -> Iterator[tuple[datetime | None, str]]:
    if row.status == "QUEUED":
        lease = ""
        if row.lease_expires_at and not row.lease_is_over:
            lease = f"; a worker has it in hand until {instant(row.lease_expires_at)}"
        yield row.updated_at, f"queued: `bdaysched run-worker` sends it{lease}"
    elif row.status == "SENDING":
        yield row.updated_at, "taken by a worker, to be sent"
        if row.lease_is_over:
            text = f"the worker's claim ended: {NEXT_RUN} takes the message back"
            yield row.lease_expires_at, text
        else:
            yield row.lease_expires_at, "the worker's claim ends"
    elif row.status == "RETRYING":
        if row.is_held:
            yield row.updated_at, "held, until a person decides whether it was delivered"
        else:
            yield row.updated_at, "RETRYING from then on"
        if row.next_attempt_at:
            yield row.next_attempt_at, "to be queued again by `bdaysched schedule`, not before"
    elif row.updated_at != row.created_at:
        yield row.updated_at, "corrected, or taken back from the queue"


def _notes(told: Told, found: Explanation) -> Iterator[str]:
    row, user = told.row, found.user
    settled = row.status in ("SENT", "FAILED")
    if row.is_held:
        yield (
            f"`bdaysched queue replay --held {row.id}` tries it again with the same key; with"
            " --as-sent it is recorded as SENT"
        )
    if told.unusual_clock and told.fits:
        yield unusual(told.unusual_clock, told.local_time)
    if not settled and row.expires_at and row.expires_at <= found.now:
        yield f"it is too late for it: {NEXT_RUN} makes it FAILED"
    elif row.status == "SCHEDULED" and row.scheduled_send_time <= found.now:
        yield f"it is due: {NEXT_RUN} queues it"
    if not settled and found.is_quiet and row.scheduled_send_time <= found.now:
        yield f"it is night there: nothing is sent in QUIET_HOURS={found.settings.quiet_hours}"
    if user.deleted_at and row.status in ("SCHEDULED", "RETRYING"):
        yield f"the user was deleted: {NEXT_RUN} withdraws it"
    elif not told.fits:
        yield f"{_misfit(told, found)}: {_reason(told, found)}"


def _misfit(told: Told, found: Explanation) -> str:
    row = told.row
    if row.message_type not in found.user.dates:
        return f"{row.message_type} is no type of message any more"
    if told.expected_send_time is None:
        celebrated = found.user.dates[row.message_type]
        return (
            f"no {row.message_type} falls on {row.delivery_date} for the user as they are now"
            f" ({f'it is on {celebrated}' if celebrated else 'there is no date'})"
        )
    return (
        f"it would be due at {instant(told.expected_send_time)} for the user as they are now,"
        f" in {found.user.timezone}"
    )


def _reason(told: Told, found: Explanation) -> str:
    row, changed = told.row, instant(found.user.updated_at)
    if row.status == "SCHEDULED":
        run = NEXT_RUN if found.user.changed_at else "`bdaysched schedule --full`"
        return f"{run} corrects it"
    if row.status in ("SENT", "FAILED") and found.user.updated_at > row.updated_at:
        return f"the user was last changed at {changed}, after it was {row.status}"
    if found.user.updated_at > row.created_at:
        return f"the user was last changed at {changed}, after it was planned"
    return (
        f"the user was not changed since it was planned (last at {changed}), so the settings or"
        " the time-zone data were, or the row was written by another program"
    )


def gone(lost: Gone) -> str:
    """Return what is known of a message of which there is no row."""
    if lost.has_partition:
        text = "it was under way, and its row was deleted from message_logs; it is not sent again"
    else:
        text = (
            f"it was SENT or FAILED, unless dropped by force; its month {lost.partition} has been"
            " dropped, and message_guard keeps it from being sent again"
        )
    return f"{lost.message_type} for {lost.delivery_date}: {text}"


def _answer(row: Row) -> str:
    text = ""
    if row.api_response_code is not None:
        body = f" {quoted(row.api_response_body)}" if row.api_response_body else ""
        text += f"; answered {row.api_response_code}{body}"
    if row.error_message:
        text += f"; {printable(row.error_message)}"
    return text


def _attempts(count: int) -> str:
    return f"{count} attempt{'s' if count > 1 else ''}"


def _lateness(seconds: float) -> str:
    return f"{duration(abs(seconds))} {'late' if seconds >= 0 else 'EARLY'}"
