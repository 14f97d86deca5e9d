"""The servers of a drill: a durable PostgreSQL, and a broker of one node, of three, or none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import postgres, process
from tests.servers.rabbitmq import RabbitNode
from tests.servers.rabbitmq_cluster import RabbitCluster, cluster
from tests.servers.rabbitmq_home import Home

BROKERS = ("rabbitmq", "postgres", "cluster")


@dataclass(frozen=True)
class Stage:
    """Servers that can be killed and started again. Without a broker there are no nodes."""

    database: postgres.PostgresServer
    nodes: list[RabbitNode]
    cluster: RabbitCluster | None = None

    def leader(self, queue: str) -> RabbitNode:
        """Return the node that leads a queue; any, while they are about to elect one."""
        if self.cluster:
            try:
                return self.cluster.leader_of(queue)
            except pytest.fail.Exception:
                return random.choice(self.nodes)
        return self.nodes[0]


@contextmanager
def stage(brokers: str, rabbitmq_root: Path | None = None) -> Iterator[Stage]:
    """Yield the servers, gone afterwards. On disk: a commit and a confirm mean that here.

    RabbitMQ is this machine's, or that of another root file system.
    """
    with process.folder("drill", on_disk=True) as folder:
        database = postgres.PostgresServer(postgres.system_binaries(), folder)
        with (database.data / "postgresql.conf").open("a") as configuration:
            configuration.write("fsync = on\n")
        database.start()
        try:
            if brokers == "cluster":
                with cluster(root=rabbitmq_root, on_disk=True) as made:
                    yield Stage(database, made.nodes, made)
            elif brokers == "rabbitmq":
                with _node(rabbitmq_root) as node:
                    yield Stage(database, [node])
            else:
                yield Stage(database, [])
        finally:
            database.stop()


@contextmanager
def _node(root: Path | None) -> Iterator[RabbitNode]:
    with process.folder("drill-broker", on_disk=True) as folder:
        node = RabbitNode(folder, Home(folder, root))
        try:
            node.start()
            yield node
        finally:
            node.remove()
