"""A reference as the body of an AMQP message: JSON that any other program may write or read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from birthday_cli.domain.message import Reference

CONTENT_TYPE = "application/json"
_BODY_LIMIT = 4_096  # bytes; a reference takes about 120


def encode(reference: Reference) -> bytes:
    """Return the body, with the send time in UTC."""
    send_time = reference.scheduled_send_time.astimezone(UTC)
    return json.dumps(
        {"id": str(reference.id), "scheduled_send_time": send_time.isoformat()}
    ).encode()


def decode(body: bytes) -> Reference:
    """Return the reference that body holds; whatever else it holds, ValueError tells."""
    if len(body) > _BODY_LIMIT:
        raise ValueError(f"{len(body)} bytes are more than {_BODY_LIMIT}")
    try:
        found = json.loads(body.decode())  # or it looks for the encoding first
        send_time = datetime.fromisoformat(found["scheduled_send_time"])
        if send_time.tzinfo is None:
            raise ValueError("scheduled_send_time has no offset")
        return Reference(UUID(found["id"]), send_time.astimezone(UTC))
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError) as problem:
        raise ValueError(f"{type(problem).__name__}: {problem}") from problem
