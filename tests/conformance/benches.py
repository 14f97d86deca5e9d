"""What the conformance suite needs of each broker: connections to one queue, and its outside."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from typing import Any, Protocol

import pika
import psycopg
import pytest

from birthday_cli.brokers import postgres
from birthday_cli.brokers import rabbitmq as rabbit
from birthday_cli.brokers.base import Broker
from birthday_cli.brokers.memory import MemoryBroker, MemoryQueue
from birthday_cli.brokers.rabbitmq_dead import REASON_HEADER
from birthday_cli.brokers.wire import decode
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BdayschedError, BrokerUnreachable, DatabaseUnreachable
from tests.references import references
from tests.servers.rabbitmq import RabbitNode


class Bench(Protocol):
    """One queue of one broker."""

    lost: type[BdayschedError]
    """What a call raises when its connection has gone."""

    def connect(self) -> AbstractAsyncContextManager[Broker]: ...

    def references(self, count: int) -> list[Reference]:
        """Return new references to what is due."""

    def mark_queued(self, references: Sequence[Reference]) -> None:
        """Do what the dispatcher does after publish() has confirmed references."""

    async def sever(self) -> None:
        """Cut every connection, as if the network failed, and let the time of leases pass."""

    def dead(self) -> dict[Reference, str]:
        """Return what was put aside as dead, and why."""


class MemoryBench:
    lost: type[BdayschedError] = BrokerUnreachable

    def __init__(self) -> None:
        self._queue = MemoryQueue()
        self._brokers: list[MemoryBroker] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Broker]:
        broker = MemoryBroker(self._queue)
        self._brokers.append(broker)
        yield broker
        broker.lose_connection()

    def references(self, count: int) -> list[Reference]:
        return references(count)

    def mark_queued(self, references: Sequence[Reference]) -> None:
        pass

    async def sever(self) -> None:
        for broker in self._brokers:
            broker.lose_connection()

    def dead(self) -> dict[Reference, str]:
        return dict(self._queue.dead)


class RabbitBench:
    lost: type[BdayschedError] = BrokerUnreachable

    def __init__(self, url: str) -> None:
        self._url = url
        self._queue = f"test.{secrets.token_hex(6)}"
        self._cut = asyncio.Event()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Broker]:
        address = pika.URLParameters(self._url)
        async with _cable(address.host, address.port, self._cut) as port:
            settings = Settings(
                broker_url=f"amqp://guest:guest@127.0.0.1:{port}/%2F", broker_queue=self._queue
            )
            async with rabbit.connect(settings) as broker:
                yield broker

    def references(self, count: int) -> list[Reference]:
        return references(count)

    def mark_queued(self, references: Sequence[Reference]) -> None:
        pass

    async def sever(self) -> None:
        self._cut.set()
        self._cut = asyncio.Event()

    def dead(self) -> dict[Reference, str]:
        found: dict[Reference, str] = {}
        with closing(pika.BlockingConnection(pika.URLParameters(self._url))) as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(f"{self._queue}.dead", auto_ack=True)
                if method is None or properties is None or body is None:
                    return found
                headers: Any = properties.headers
                found[decode(body)] = headers[REASON_HEADER]


class PostgresBench:
    lost: type[BdayschedError] = DatabaseUnreachable

    def __init__(self, url: str, **settings: Any) -> None:
        self._url = url
        self._settings = Settings(**settings)

    def connect(self) -> AbstractAsyncContextManager[Broker]:
        return postgres.connect(self._settings, self._url)

    def references(self, count: int) -> list[Reference]:
        rows = self.execute(
            """
            WITH people AS (
                INSERT INTO users (first_name, last_name, email, timezone)
                SELECT 'Ada', 'Byron', gen_random_uuid() || '@example.org', 'UTC'
                FROM generate_series(1, %s)
                RETURNING id
            )
            INSERT INTO message_logs
                (user_id, message_type, message_content, delivery_date, scheduled_send_time)
            SELECT id, 'BIRTHDAY', 'Hey', current_date, now() FROM people
            RETURNING id, scheduled_send_time
            """,
            count,
        )
        return [Reference(*row) for row in rows]

    def mark_queued(self, references: Sequence[Reference]) -> None:
        self.execute(
            "UPDATE message_logs SET status = 'QUEUED' WHERE id = ANY (%s) RETURNING 1",
            [reference.id for reference in references],
        )

    async def sever(self) -> None:
        self.execute(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
            " WHERE application_name = 'bdaysched queue' AND datname = current_database()"
        )
        self.execute(
            "UPDATE message_logs SET lease_expires_at = now()"
            " WHERE lease_expires_at IS NOT NULL RETURNING 1"
        )

    def dead(self) -> dict[Reference, str]:
        rows = self.execute(
            "SELECT id, scheduled_send_time, error_message FROM message_logs"
            " WHERE status = 'FAILED'"
        )
        return {Reference(*row[:2]): row[2] for row in rows}

    def statuses(self, references: Sequence[Reference]) -> list[str]:
        rows = dict(self.execute("SELECT id, status FROM message_logs"))
        return [rows[reference.id] for reference in references]

    def execute(self, statement: Any, *parameters: object) -> list[Any]:
        with closing(psycopg.connect(self._url, autocommit=True)) as connection:
            return connection.execute(statement, parameters).fetchall()


class OnMemory:
    @pytest.fixture
    def bench(self) -> Bench:
        return MemoryBench()


class OnRabbitMQ:
    @pytest.fixture
    def bench(self, rabbitmq: RabbitNode) -> Bench:
        return RabbitBench(rabbitmq.url)


class OnPostgres:
    @pytest.fixture
    def bench(self, database: str) -> PostgresBench:
        return PostgresBench(database)


@asynccontextmanager
async def _cable(host: str, port: int, cut: asyncio.Event) -> AsyncIterator[int]:
    """Yield a port that leads to (host, port), until cut is set: then both ends are reset."""
    ends: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def plug(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    async def watch() -> None:
        await cut.wait()
        for end in ends:
            end.transport.abort()

    server = await asyncio.start_server(plug, "127.0.0.1")
    watcher = asyncio.create_task(watch())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        watcher.cancel()
        for end in ends:
            end.transport.abort()
        server.close()
        await server.wait_closed()
