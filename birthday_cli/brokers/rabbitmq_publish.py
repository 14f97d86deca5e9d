"""Publishing to RabbitMQ in a window of confirms."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from pika.channel import Channel
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from birthday_cli.brokers.rabbitmq_link import Link
from birthday_cli.brokers.tags import Batch, Confirms
from birthday_cli.brokers.wire import CONTENT_TYPE

_WINDOW = 5_000  # publishes that await the broker's confirm at the same time
_BREATH = 100  # publishes between two turns of the loop: pika sends nothing until it turns


class Letter(NamedTuple):
    """What is to be published: the message id is for whoever looks into a queue."""

    message_id: str
    body: bytes
    headers: dict[str, str] | None = None


class Publisher:
    """What is published over a link, and awaits the broker's word."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._confirms = Confirms()

    async def open(self) -> None:
        """Have the broker confirm what is published from now on."""
        self._link.channel.add_on_return_callback(self._on_return)
        await self._link.call(self._link.channel.confirm_delivery, self._on_confirm)

    async def publish(self, exchange: str, letters: Sequence[Letter]) -> list[int]:
        """Publish letters, persistent and mandatory, with the exchange's name for routing key.

        Returns the places of those that the broker has routed and made durable.
        """
        batch = Batch()
        for place, letter in enumerate(letters):
            if place % _BREATH == 0:
                await asyncio.sleep(0)
            await self._link.answered(lambda: len(self._confirms) < _WINDOW)
            tag = self._confirms.expect(batch, place)
            properties = BasicProperties(
                app_id="bdaysched",
                content_type=CONTENT_TYPE,
                delivery_mode=PERSISTENT_DELIVERY_MODE,
                message_id=letter.message_id,
                # A message that is returned comes back with its properties, without its tag.
                correlation_id=str(tag),
                headers=letter.headers,
            )
            self._link.channel.basic_publish(
                exchange, exchange, letter.body, properties, mandatory=True
            )
        await self._link.answered(lambda: batch.open == 0)
        return sorted(batch.confirmed)

    def _on_confirm(self, frame: Any) -> None:
        word: Basic.Ack | Basic.Nack = frame.method
        durable = isinstance(word, Basic.Ack)
        self._confirms.settle(word.delivery_tag or 0, multiple=word.multiple, durable=durable)
        self._link.ring()

    def _on_return(self, _: Channel, __: object, properties: BasicProperties, ___: bytes) -> None:
        self._confirms.returned(int(properties.correlation_id or 0))
