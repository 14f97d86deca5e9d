"""Statements over message_logs, each for a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from birthday_cli.db.connect import AsyncConnection, Connection
from birthday_cli.db.queries import query
from birthday_cli.domain.message import Message, Reference
from birthday_cli.domain.retry import Ambiguous, RetryPolicy
from birthday_cli.domain.states import Status

_FIRST_ID = UUID(int=0)


class Claim(NamedTuple):
    """A message in a worker's hand, and the token by which it may record or hand it back."""

    message: Message
    token: UUID


class Result(NamedTuple):
    """What is to be recorded of one attempt.

    `pause` is set for RETRYING, and None of a message that is held for a person. `attempt` is what
    `explain` is to show of an attempt that did not deliver, as JSON.
    """

    claim: Claim
    status: Status
    sent_at: datetime | None = None
    pause: timedelta | None = None
    is_held: bool = False
    code: int | None = None
    body: str | None = None
    error: str | None = None
    attempt: str | None = None


class PastMessage(NamedTuple):
    """A sample of what was sent, or not, on a day gone by."""

    user_id: UUID
    message_type: str
    content: str
    delivery_date: date
    scheduled_send_time: datetime
    expires_at: datetime
    status: Status


def insert_history(connection: Connection, past: Sequence[PastMessage]) -> int:
    """Insert sample messages for users and days that have none; return their number."""
    return connection.execute(
        query("messages/insert_history"),
        {
            "user_ids": [message.user_id for message in past],
            "message_types": [message.message_type for message in past],
            "contents": [message.content for message in past],
            "delivery_dates": [message.delivery_date for message in past],
            "scheduled_send_times": [message.scheduled_send_time for message in past],
            "expires_ats": [message.expires_at for message in past],
            "statuses": [str(message.status) for message in past],
        },
    ).rowcount


async def due(
    connection: AsyncConnection,
    since: datetime,
    now: datetime,
    quiet_zones: Sequence[str],
    after: Reference | None,
    limit: int,
) -> list[Reference]:
    """Return up to limit messages due after since and by now, that come after a reference.

    Without those of users in quiet_zones.
    """
    cursor = await connection.execute(
        query("messages/list_due"),
        {
            "since": since,
            "now": now,
            "quiet_zones": list(quiet_zones),
            "after_time": after.scheduled_send_time if after else since,
            "after_id": after.id if after else _FIRST_ID,
            "limit": limit,
        },
    )
    rows: list[Any] = await cursor.fetchall()
    return [Reference(*row) for row in rows]


async def mark_queued(connection: AsyncConnection, references: Sequence[Reference]) -> None:
    """Record that the broker has references."""
    await connection.execute(query("messages/mark_queued"), _keys(references))


async def claim(
    connection: AsyncConnection,
    references: Sequence[Reference],
    now: datetime,
    quiet_zones: Sequence[str],
    token: UUID,
    lease: timedelta,
) -> list[Message]:
    """Take the messages behind references that nobody else has and that may be sent now.

    Repeated with the same token it returns what it took before, and is still in hand.
    """
    cursor = await connection.execute(
        query("messages/claim"),
        {
            **_keys(references),
            "now": now,
            "quiet_zones": list(quiet_zones),
            "token": token,
            "lease": lease,
        },
        prepare=True,
        binary=True,
    )
    rows: list[Any] = await cursor.fetchall()
    return [Message._make(row) for row in rows]


async def known(connection: AsyncConnection, references: Sequence[Reference]) -> set[UUID]:
    """Return the ids of those references that have a row."""
    cursor = await connection.execute(query("messages/list_known"), _keys(references))
    rows: list[Any] = await cursor.fetchall()
    return {found for (found,) in rows}


async def record(connection: AsyncConnection, results: Sequence[Result]) -> set[UUID]:
    """Write results; return the ids of the rows that were still this worker's to write.

    A row that the same result was written to before counts as written.
    """
    claims = [result.claim for result in results]
    cursor = await connection.execute(
        query("messages/record"),
        {
            **_claim_keys(claims),
            "statuses": [str(result.status) for result in results],
            "sent_at": [result.sent_at for result in results],
            "pauses": [result.pause for result in results],
            "held": [result.is_held for result in results],
            "codes": [result.code for result in results],
            "bodies": [result.body for result in results],
            "errors": [result.error for result in results],
            "attempts": [result.attempt for result in results],
        },
        prepare=True,
        binary=True,
    )
    rows: list[Any] = await cursor.fetchall()
    recorded = {found for (found,) in rows}
    if missing := [claim for claim in claims if claim.message.id not in recorded]:
        cursor = await connection.execute(query("messages/list_recorded"), _claim_keys(missing))
        rows = await cursor.fetchall()
        recorded |= {found for (found,) in rows}
    return recorded


async def hand_back(connection: AsyncConnection, claims: Sequence[Claim]) -> None:
    """Put claimed messages that were never tried back among the QUEUED ones."""
    await connection.execute(query("messages/hand_back"), _claim_keys(claims))


async def renew_leases(
    connection: AsyncConnection, claims: Sequence[Claim], lease: timedelta
) -> set[UUID]:
    """Let claims last for another lease from now; return the ids of those that still stand."""
    parameters = {**_claim_keys(claims), "lease": lease}
    cursor = await connection.execute(query("messages/renew_leases"), parameters)
    rows: list[Any] = await cursor.fetchall()
    return {found for (found,) in rows}


async def fail_expired(connection: AsyncConnection, now: datetime, since: datetime) -> int:
    """Fail what is too late at now, or due before since; return how many those were."""
    cursor = await connection.execute(query("messages/fail_expired"), {"now": now, "since": since})
    return cursor.rowcount


async def fail_withdrawn(connection: AsyncConnection, now: datetime, since: datetime) -> int:
    """Fail what is due after since and by now for deleted users; return how many those were."""
    cursor = await connection.execute(
        query("messages/fail_withdrawn"), {"now": now, "since": since}
    )
    return cursor.rowcount


async def take_back_expired_leases(
    connection: AsyncConnection, now: datetime, policy: RetryPolicy
) -> list[Status]:
    """End claims whose lease is over; return the states that their messages came into."""
    cursor = await connection.execute(
        query("messages/take_back_expired_leases"),
        {
            "now": now,
            "max_attempts": policy.max_attempts,
            "hold": policy.ambiguous is Ambiguous.HOLD,
        },
    )
    rows: list[Any] = await cursor.fetchall()
    return [Status(status) for (status,) in rows]


async def stuck_queued(connection: AsyncConnection, age: timedelta) -> tuple[int, int]:
    """Return how many messages are QUEUED, and how many of them for longer than age."""
    cursor = await connection.execute(query("messages/count_stuck_queued"), {"age": age})
    row: Any = await cursor.fetchone()
    return row[0], row[1]


async def requeue_stuck(connection: AsyncConnection, age: timedelta) -> int:
    """Make messages that have been QUEUED for longer than age due again; return their number."""
    cursor = await connection.execute(query("messages/requeue_stuck"), {"age": age})
    return cursor.rowcount


def _keys(references: Sequence[Reference]) -> dict[str, Any]:
    return {
        "ids": [reference.id for reference in references],
        "times": [reference.scheduled_send_time for reference in references],
    }


def _claim_keys(claims: Sequence[Claim]) -> dict[str, Any]:
    return {
        "ids": [claim.message.id for claim in claims],
        "times": [claim.message.scheduled_send_time for claim in claims],
        "tokens": [claim.token for claim in claims],
    }
