"""A message as it travels: by reference through the broker, in full to a channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID


class Reference(NamedTuple):
    """What the broker carries. The send time prunes the partitions that the id is looked up in."""

    id: UUID
    scheduled_send_time: datetime


@dataclass(frozen=True)
class Message:
    """A claimed row of message_logs with the address of its user.

    `retry_count` is the count at the claim. It is the fencing token of the lease: whoever takes
    the row away raises it, so that a late result of an earlier claim finds no row to change.
    """

    id: UUID
    scheduled_send_time: datetime
    user_id: UUID
    email: str
    message_type: str
    content: str
    delivery_date: date
    idempotency_key: str
    retry_count: int

    @property
    def reference(self) -> Reference:
        """The reference by which this message was found."""
        return Reference(self.id, self.scheduled_send_time)
