"""A message as it travels: by reference through the broker, in full to a channel."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


class Reference(NamedTuple):
    """What the broker carries. The send time prunes the partitions that the id is looked up in."""

    id: UUID
    scheduled_send_time: datetime


class Message(NamedTuple):
    """A claimed row of message_logs with the address of its user.

    `retry_count` is the number of attempts before this one.
    """

    id: UUID
    scheduled_send_time: datetime
    user_id: UUID
    email: str
    message_type: str
    content: str
    delivery_date: date
    idempotency_key: str
    expires_at: datetime | None
    retry_count: int

    @property
    def reference(self) -> Reference:
        """The reference by which this message was found."""
        return Reference(self.id, self.scheduled_send_time)
