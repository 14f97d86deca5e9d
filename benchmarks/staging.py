"""The stage of `benchmarks.worker`: servers, rows, queues, and one drain of them by a contender."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pika
from pika.adapters.blocking_connection import BlockingChannel

from benchmarks import servers
from benchmarks.contenders import QUEUE, Contender, Peers
from benchmarks.usage import Meter
from birthday_cli.brokers import rabbitmq as rabbit
from birthday_cli.brokers import wire
from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection
from birthday_cli.domain.message import Reference
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES
from tests.servers import postgres, process, rabbitmq

_PATIENCE = 120.0  # seconds without progress
_START_UP = 0.05  # share of the rows that is sent before the clock starts

_RECORDED = """
WITH recorded AS MATERIALIZED (
    SELECT pg_xact_commit_timestamp(xmin) AS instant FROM message_logs WHERE status = 'SENT'
), clock AS (
    SELECT percentile_disc(%s) WITHIN GROUP (ORDER BY instant) AS started, max(instant) AS ended
    FROM recorded
)
SELECT extract(epoch FROM started)::float8, extract(epoch FROM ended)::float8,
       (SELECT count(*) FROM recorded WHERE instant > started)
FROM clock
"""


class Letter(NamedTuple):
    """A message of a queue."""

    body: bytes
    properties: pika.BasicProperties


@dataclass(frozen=True)
class Drained:
    """One drain: rows a second, and CPU seconds for 1,000 rows by who spent them.

    `cores` is how many processors the four were keeping busy, all together.
    """

    rate: float
    seconds: dict[str, float]
    cores: float


class Stage:
    """Servers with so many planned messages, which can be made QUEUED again and again."""

    def __init__(
        self,
        server: postgres.PostgresServer,
        connection: Connection,
        node: rabbitmq.RabbitNode,
        receiver: servers.Nginx,
        folder: Path,
        peers: Peers | None,
    ) -> None:
        self._peers = peers
        self.connection = connection
        self.receiver = receiver
        self.references: list[Reference] = []
        self._server = server
        self._node = node
        self._log = folder / "workers.log"
        self._channel: BlockingChannel | None = None
        self._letters: dict[str, list[Letter]] = {}

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._server.url("worker"),
            "BROKER_URL": self._node.url,
            "BROKER_QUEUE": QUEUE,
            "DELIVERY_URL": self.receiver.url,
            "QUIET_HOURS": "off",
        }

    @property
    def settings(self) -> Settings:
        """What a worker of ours is told."""
        return Settings(
            database_url=self._server.url("worker"),
            broker_url=self._node.url,
            broker_queue=QUEUE,
            delivery_url=self.receiver.url,
        )

    def plan(self, count: int) -> None:
        """Plan count messages, and keep them aside."""
        servers.add_users(self.connection, count, count)
        plan(self.connection, NOW, servers.HORIZON, RULES)
        self.connection.execute("UPDATE message_logs SET expires_at = 'infinity'")
        # One of these columns is generated, and none of them is the plan's but the first seven.
        self.connection.execute(
            "CREATE TABLE kept AS SELECT id, user_id, message_type, message_content, delivery_date,"
            " scheduled_send_time, expires_at FROM message_logs"
        )
        rows: list[Any] = self.connection.execute(
            "SELECT id, scheduled_send_time FROM kept ORDER BY id"
        ).fetchall()
        self.references = [Reference(*row) for row in rows]
        assert len(self.references) == count

    def fill(self, references: Sequence[Reference], status: str = "QUEUED") -> None:
        """Make the rows of references as new, and nothing else be there."""
        self.connection.execute("TRUNCATE message_logs, message_guard")
        self.connection.execute(
            "INSERT INTO message_logs (id, user_id, message_type, message_content, delivery_date,"
            " scheduled_send_time, expires_at, status)"
            " SELECT kept.*, %s FROM kept WHERE id = ANY (%s)",
            (status, [reference.id for reference in references]),
        )
        self.connection.execute("VACUUM ANALYZE message_logs")
        self.connection.execute("CHECKPOINT")

    def letters(self, contender: Contender) -> list[Letter]:
        """Return the messages that a contender reads, one for each reference."""
        form = contender.form
        if form not in self._letters and contender.queue == QUEUE:
            properties = pika.BasicProperties(content_type=wire.CONTENT_TYPE, delivery_mode=2)
            self._letters[form] = [
                Letter(wire.encode(reference), properties) for reference in self.references
            ]
        elif form not in self._letters:
            assert self._peers
            made: list[Any] = self._peers.messages(form, self.references, self._environment)
            self._letters[form] = [
                Letter(
                    message["body"].encode(),
                    pika.BasicProperties(delivery_mode=2, **message["properties"]),
                )
                for message in made
            ]
        return self._letters[form]

    def declare(self) -> None:
        """Make the queue that `bdaysched` makes: a contender that is not ours only reads it."""

        async def declare() -> None:
            async with rabbit.connect(self.settings):
                pass

        asyncio.run(declare())

    def publish(self, queue: str, letters: Sequence[Letter]) -> None:
        """Put letters into a queue, persistent."""
        for letter in letters:
            self.channel.basic_publish("", queue, letter.body, letter.properties)

    def preload(self, queue: str, letters: Sequence[Letter]) -> None:
        """Let a queue hold just these letters."""
        self.channel.queue_purge(queue)
        self.publish(queue, letters)
        deadline = time.monotonic() + _PATIENCE
        while self.waiting(queue) != len(letters):
            assert time.monotonic() < deadline, f"{self.waiting(queue)} are in {queue}"
            time.sleep(0.1)

    def waiting(self, queue: str) -> int:
        """Return how many messages of a queue wait."""
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    @property
    def channel(self) -> BlockingChannel:
        """A channel to RabbitMQ. A drain may last longer than a heartbeat, so there is none."""
        if self._channel is None:
            parameters = pika.URLParameters(self._node.url)
            parameters.heartbeat = 0
            self._channel = pika.BlockingConnection(parameters).channel()
        return self._channel

    def sent(self) -> int:
        """Return how many rows are SENT."""
        return servers.count(self.connection, "message_logs WHERE status = 'SENT'")

    def meter(self, workers: Sequence[subprocess.Popen[bytes]]) -> Meter:
        """Return what measures workers and servers."""
        assert self._node._server
        return Meter(
            {
                "worker": [worker.pid for worker in workers],
                "postgresql": [self._server.pid],
                "rabbitmq": [self._node._server.pid],
                "receiver": [self.receiver.process.pid],
            }
        )

    def drain(self, contender: Contender) -> Drained:
        """Let a contender send every message; return how fast it was.

        AssertionError unless all was done: every row SENT, a request for each, the queue empty.
        """
        count = len(self.references)
        self.fill(self.references)
        if contender.form != "postgres":
            self.preload(contender.queue, self.letters(contender))
        requests = self.receiver.requests()
        with self.working(contender) as workers, self.meter(workers) as meter:
            self.until_sent(count, workers)
            if contender.ends_when_empty:
                for worker in workers:
                    worker.wait(_PATIENCE)
        # The count includes that of asking for it.
        requests = self.receiver.requests() - requests - 1
        assert requests == (count if contender.posts else 0), f"{requests} requests for {count}"
        # A connection that has closed has put back what was not acknowledged.
        assert (left := self.waiting(contender.queue)) == 0, f"{left} are left in the queue"
        row: Any = self.connection.execute(_RECORDED, (_START_UP,)).fetchone()
        started, ended, timed = row
        spent = meter.spent(started, ended)
        return Drained(
            rate=timed / (ended - started),
            seconds={name: 1_000 * seconds / timed for name, seconds in spent.items()},
            cores=sum(spent.values()) / (ended - started),
        )

    @contextmanager
    def working(self, contender: Contender) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Yield the processes of a contender at work; they are ended in order afterwards."""
        environment = {**os.environ, **self._environment, **contender.environment}
        if contender.form == "postgres":
            environment["BROKER_URL"] = "postgres:"
        with ExitStack() as stack, self._log.open("wb") as log:
            workers = []
            for command in contender.commands:
                worker = subprocess.Popen(  # noqa: S603 - the commands are ours
                    command,
                    cwd=contender.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
                stack.callback(process.stop, worker, signal.SIGTERM)
                workers.append(worker)
            try:
                yield workers
            except BaseException:
                servers.tell(self._log.read_text(errors="replace")[-4_000:])
                raise
            for worker in workers:
                process.stop(worker, signal.SIGTERM)
                if contender.ends_when_empty:
                    assert worker.returncode == 0, self._log.read_text(errors="replace")[-4_000:]

    def until_sent(self, count: int, workers: Sequence[subprocess.Popen[bytes]]) -> None:
        """Wait until so many rows are SENT."""
        before, deadline = -1, 0.0
        while (sent := self.sent()) < count:
            if sent > before:
                before, deadline = sent, time.monotonic() + _PATIENCE
            assert time.monotonic() < deadline, f"{sent:,} of {count:,} are sent, and no more"
            assert any(worker.poll() is None for worker in workers), (
                f"the workers ended with {[worker.returncode for worker in workers]}"
                f" when {self.sent():,} of {count:,} were sent"
            )
            time.sleep(0.5)


@contextmanager
def stage(count: int, delay: float = 0.0, peers: Peers | None = None) -> Iterator[Stage]:
    """Yield a stage with count messages and a receiver that takes delay seconds to answer."""
    with (
        servers.postgres_server(durable=True) as server,
        servers.migrated_database(server, "worker") as connection,
        servers.rabbitmq_node() as node,
        servers.nginx(delay) as receiver,
        process.folder("benchmark") as folder,
    ):
        made = Stage(server, connection, node, receiver, folder, peers)
        made.declare()
        made.plan(count)
        yield made
