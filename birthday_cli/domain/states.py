"""The states of a message and the moves between them."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The values of message_logs.status (constraint check_message_status)."""

    SCHEDULED = "SCHEDULED"
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    RETRYING = "RETRYING"


# A worker may claim a row whose reference arrives before the dispatcher has recorded QUEUED.
MOVES: dict[Status, frozenset[Status]] = {
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.SENDING, Status.FAILED}),
    # A reference that was lost, or that nobody could use, is dispatched anew.
    Status.QUEUED: frozenset({Status.SENDING, Status.SCHEDULED, Status.RETRYING, Status.FAILED}),
    Status.SENDING: frozenset({Status.SENT, Status.RETRYING, Status.FAILED}),
    Status.RETRYING: frozenset({Status.QUEUED, Status.SENDING, Status.FAILED}),
    Status.SENT: frozenset(),
    Status.FAILED: frozenset(),
}

FINAL = frozenset(status for status, moves in MOVES.items() if not moves)
CLAIMABLE = frozenset(status for status, moves in MOVES.items() if Status.SENDING in moves)

# What no program does by itself: `queue replay` does it for a person who knows what happened.
BY_A_PERSON: dict[Status, frozenset[Status]] = {
    Status.RETRYING: frozenset({Status.SENT}),
    Status.FAILED: frozenset({Status.RETRYING}),
}
