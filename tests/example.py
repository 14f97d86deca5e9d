"""A message, and one attempt to send it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from birthday_cli.channels import base
from birthday_cli.config import Settings
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome

MESSAGE = Message(
    id=UUID("0191e6a0-0000-7000-8000-000000000001"),
    scheduled_send_time=datetime(2026, 3, 1, 2, tzinfo=UTC),
    user_id=UUID("0191e6a0-0000-7000-8000-000000000002"),
    email="siti@example.org",
    message_type="BIRTHDAY",
    content="Happy birthday, Siti Rahayu!",
    delivery_date=date(2026, 3, 1),
    idempotency_key="0191e6a0-0000-7000-8000-000000000002:BIRTHDAY:2026-03-01",
    expires_at=None,
    retry_count=0,
)


async def send(url: str, message: Message = MESSAGE, **given: Any) -> Outcome:
    """Send message once over the channel for url, with the other settings given."""
    async with base.connect(Settings(delivery_url=url, **given)) as channel:
        return await channel.send(message)
