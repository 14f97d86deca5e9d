"""A worker process: what `deliver` needs around it."""

from __future__ import annotations

import asyncio
import signal

from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db.connect import database, open_pool
from birthday_cli.pipeline.deliver import Delivered, Worker


def work(settings: Settings, clock: Clock, until_empty: bool = False) -> Delivered:
    """Deliver until SIGTERM or SIGINT, or until the queue is empty; see Worker.run.

    A signal lets what is in hand finish. Raises UsageError without a DELIVERY_URL, and what
    connecting raises.
    """
    with database(settings) as conninfo:
        return asyncio.run(_work(settings, conninfo, clock, until_empty))


async def _work(settings: Settings, conninfo: str, clock: Clock, until_empty: bool) -> Delivered:
    async with (
        connect_channel(settings) as channel,
        open_pool(conninfo, settings, "bdaysched run-worker") as pool,
    ):
        worker = Worker(settings, conninfo, pool, channel, clock)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, worker.stop)
        return await worker.run(until_empty)
