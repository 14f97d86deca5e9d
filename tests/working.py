"""A worker in this process, on a real database and receiver; its broker fails when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psycopg

from birthday_cli.brokers.memory import MemoryBroker, MemoryQueue
from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db.connect import open_pool
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BrokerUnreachable
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, add_message


class Brokers:
    """Hands out connections to one queue in memory, and remembers them."""

    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.opened: list[MemoryBroker] = []
        self.refuse = 0

    @asynccontextmanager
    async def connect(self, _settings: Settings, _conninfo: str) -> AsyncIterator[MemoryBroker]:
        if self.refuse:
            self.refuse -= 1
            raise BrokerUnreachable("refused")
        self.opened.append(MemoryBroker(self.queue))
        yield self.opened[-1]


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    async with (
        connect_channel(settings) as channel,
        open_pool(settings.database_url, settings) as pool,
    ):
        yield Worker(settings, settings.database_url, pool, channel, Clock(NOW))


async def run(settings: Settings) -> Delivered:
    async with worker(settings) as own, asyncio.timeout(60):
        return await own.run(until_empty=True)


def queued(connection: psycopg.Connection, brokers: Brokers, count: int = 1) -> list[Reference]:
    references = [add_message(connection, status="QUEUED") for _ in range(count)]
    brokers.queue.ready.extend(references)
    return references


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the worker does not tell of."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
