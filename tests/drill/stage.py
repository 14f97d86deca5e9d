"""The servers of a drill: a durable PostgreSQL, and a broker of one node, of three, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.servers import postgres, process, rabbitmq

BROKERS = ("rabbitmq", "postgres")


class Stage(NamedTuple):
    """Servers that can be killed and started again."""

    database: postgres.PostgresServer
    nodes: list[rabbitmq.RabbitNode]


@contextmanager
def stage(brokers: str) -> Iterator[Stage]:
    """Yield the servers, gone afterwards. On disk: a commit and a confirm mean that here."""
    with process.folder("drill", on_disk=True) as folder:
        database = postgres.PostgresServer(postgres._system_binaries(), folder)
        with (database.data / "postgresql.conf").open("a") as configuration:
            configuration.write("fsync = on\n")
        database.start()
        try:
            with _nodes(brokers) as nodes:
                yield Stage(database, nodes)
        finally:
            database.stop()


@contextmanager
def _nodes(brokers: str) -> Iterator[list[rabbitmq.RabbitNode]]:
    if brokers == "postgres":
        yield []
        return
    with process.folder("drill-broker", on_disk=True) as folder:
        node = rabbitmq.RabbitNode(folder)
        try:
            node.start()
            yield [node]
        finally:
            node.remove()
