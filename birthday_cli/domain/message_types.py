"""The kinds of message there are: whose date, when, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True)
class MessageType:
    """One kind of message.

    `date_column` is the column of users with its month-day; `send_at` the user's local time;
    `template` holds fields in braces, each a column of users.
    """

    name: str
    date_column: str
    send_at: time
    subject: str
    template: str


MESSAGE_TYPES = (
    MessageType(
        name="BIRTHDAY",
        date_column="birthday_date",
        send_at=time(9),
        subject="Happy birthday!",
        template="Happy birthday, {first_name} {last_name}!",
    ),
    MessageType(
        name="ANNIVERSARY",
        date_column="anniversary_date",
        send_at=time(9),
        subject="Happy anniversary!",
        template="Happy anniversary, {first_name} {last_name}!",
    ),
)
