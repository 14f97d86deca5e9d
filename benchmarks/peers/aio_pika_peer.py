"""aio-pika, message by message: aiohttp, psycopg's asynchronous pool, so many at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import aio_pika
import aiohttp
from psycopg_pool import AsyncConnectionPool

from benchmarks.peers import statements

_CONCURRENCY = 64
_CONNECTIONS = 20


async def main() -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connection = await aio_pika.connect_robust(statements.BROKER_URL)
    async with (
        connection,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONCURRENCY),
            timeout=aiohttp.ClientTimeout(total=statements.TIMEOUT),
        ) as session,
        AsyncConnectionPool(
            statements.DATABASE_URL,
            min_size=_CONNECTIONS,
            max_size=_CONNECTIONS,
            kwargs={"autocommit": True, "options": statements.SESSION},
            open=False,
        ) as pool,
    ):

        async def deliver(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            async with message.process(requeue=True):
                reference = json.loads(message.body)
                identity, send_time = reference["id"], reference["scheduled_send_time"]
                async with pool.connection() as database:
                    cursor = await database.execute(statements.CLAIM, (identity, send_time))
                    row = await cursor.fetchone()
                if row is None:
                    return
                headers, body = statements.request(row, send_time)
                async with session.post(
                    statements.DELIVERY_URL, data=body, headers=headers
                ) as answer:
                    answer.raise_for_status()
                    text = await answer.text()
                async with pool.connection() as database:
                    await database.execute(
                        statements.RECORD, (answer.status, text, identity, send_time)
                    )

        channel = await connection.channel()
        await channel.set_qos(prefetch_count=_CONCURRENCY)
        queue = await channel.get_queue(os.environ["BROKER_QUEUE"])
        await queue.consume(deliver)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
